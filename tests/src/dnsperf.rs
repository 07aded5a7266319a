//! The generator of a measurement: dnsperf on its own core, and what it says at its end.

use crate::process;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The core of dnsperf.
pub const CORE: &str = "1";
/// The core of what is measured.
pub const CORE_OF_SERVER: &str = "0";

/// What was asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Queries.
    pub sent: u64,
    /// Those with an answer.
    pub answered: u64,
    /// Answers a second.
    pub qps: f64,
    /// Until the answer, on average, in microseconds.
    pub latency_us: f64,
    /// The longest of them.
    pub latency_max_us: f64,
    /// Octets of an answer, on average.
    pub answer_octets: usize,
    /// As dnsperf says them, such as `NOERROR 1000 (90.00%)`.
    pub rcodes: String,
}

/// Asks `queries`, a file of `NAME TYPE`, again and again for `seconds`, at `rate` a second or as fast as answers come.
///
/// # Errors
/// When dnsperf cannot be run, or says something else than expected.
pub fn run(
    queries: &Path,
    server: SocketAddr,
    seconds: u64,
    rate: Option<u64>,
) -> Result<Asked, Box<dyn Error>> {
    let mut command = Command::new("taskset");
    command.args(["-c", CORE]).arg(process::find("dnsperf"));
    command.args(["-s", &server.ip().to_string(), "-p", &server.port().to_string(), "-d"]).arg(queries);
    // Sixteen ports, and as many queries under way as two or three batches.
    command.args(["-l", &seconds.to_string(), "-c", "16", "-q", "100", "-t", "1", "-e"]);
    command.args(["-O", "suppress=timeout"]);
    if let Some(rate) = rate {
        command.args(["-Q", &rate.to_string()]);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("dnsperf failed: {}{text}", String::from_utf8_lossy(&output.stderr)).into());
    }
    parse(&text).ok_or_else(|| format!("dnsperf said something else than expected:\n{text}").into())
}

fn parse(text: &str) -> Option<Asked> {
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let first = |name: &str| field(name)?.split(' ').next();
    let latency = field("Average Latency (s):")?;
    let seconds = |text: &str| text.trim().parse::<f64>().ok();
    let max = latency.rsplit_once("max ")?.1.trim_end_matches(')');
    Some(Asked {
        sent: first("Queries sent:")?.parse().ok()?,
        answered: first("Queries completed:")?.parse().ok()?,
        qps: first("Queries per second:")?.parse().ok()?,
        latency_us: seconds(latency.split(' ').next()?)? * 1e6,
        latency_max_us: seconds(max)? * 1e6,
        answer_octets: field("Average packet size:")?.rsplit_once("response ")?.1.parse().ok()?,
        rcodes: field("Response codes:").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dnsperf_says_is_read() {
        let asked = parse(
            "Statistics:\n\n  Queries sent:         1000\n  Queries completed:    998 (99.80%)\n  \
             Queries lost:         2 (0.20%)\n\n  Response codes:       NOERROR 800 (80.16%), NXDOMAIN 198 (19.84%)\n  \
             Average packet size:  request 40, response 93\n  Run time (s):         0.010000\n  \
             Queries per second:   99800.500000\n\n  \
             Average Latency (s):  0.000123 (min 0.000010, max 0.004500)\n  Latency StdDev (s):   0.000100\n",
        )
        .expect("all fields are there");
        assert_eq!((asked.sent, asked.answered, asked.answer_octets), (1000, 998, 93));
        assert_eq!(
            (asked.qps, asked.latency_us.round(), asked.latency_max_us.round()),
            (99_800.5, 123.0, 4500.0)
        );
        assert_eq!(asked.rcodes, "NOERROR 800 (80.16%), NXDOMAIN 198 (19.84%)");
    }
}
