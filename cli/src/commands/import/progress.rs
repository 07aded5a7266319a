//! How far an import is, on a terminal; on anything else nothing is shown.
//!
//! What was there already counts as done: whoever runs an import again sees how much of the zone is there. It
//! counts for nothing in how fast it goes.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{
    HumanDuration, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle,
};
use serde_json::Value;

use crate::judge::zone_text;

/// Numbers have room to grow in, or the bar would be of another length each time.
const TEMPLATE: &str = "{prefix} {wide_bar} {pos:>7}/{len}{pace:>18}";

/// The bar of a Zone of which some records are there and some are missing.
pub(super) fn bar(there: usize, missing: usize, zone: &Value) -> ProgressBar {
    let (there, all) = (there as u64, (there + missing) as u64);
    let domain = zone["spec"]["domain"].as_str().unwrap_or_default();
    let domain = port53_zone::name::parse_absolute(domain).map_or(domain.to_owned(), |apex| zone_text(&apex));
    // The template is right: a test looks.
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let told = move |state: &ProgressState, out: &mut dyn Write| {
        // Writing to a line in memory does not fail.
        let _ = out.write_str(&pace(there, state.pos(), all, state.elapsed()));
    };
    // Nothing is drawn before it is complete.
    let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::hidden())
        .with_style(style.with_key("pace", told))
        .with_prefix(domain)
        .with_position(there)
        // However it ends, also when it is interrupted.
        .with_finish(ProgressFinish::AndClear);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar
}

/// `62/s, 4s left`, once there is something to tell it from.
fn pace(there: u64, done: u64, all: u64, elapsed: Duration) -> String {
    let a_second = done.saturating_sub(there) as f64 / elapsed.as_secs_f64();
    if !(0.5..1e9).contains(&a_second) {
        return String::new();
    }
    let left = Duration::from_secs_f64(all.saturating_sub(done) as f64 / a_second);
    format!("{a_second:.0}/s, {:#} left", HumanDuration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_bar_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn what_was_there_already_says_nothing_of_the_pace() {
        let second = Duration::from_secs(1);
        for (there, done, all, expected) in [
            (0, 0, 1000, ""),
            (0, 250, 1000, "250/s, 3s left"),
            (900, 910, 1000, "10/s, 9s left"),
            (0, 10, 100_000, "10/s, 3h left"),
            (0, 1000, 1000, "1000/s, 0s left"),
        ] {
            assert_eq!(pace(there, done, all, second), expected, "{there} {done}");
        }
        assert_eq!(pace(7, 7, 9, Duration::ZERO), "");
    }
}
