//! Metrics of zones that move here from a legacy DNS.

use super::{Metrics, NANOS, counter, gauge};
use crate::forward::{Answerer, Counts, LEGACY_BOUNDS, View};
use port53_zone::name;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt::Error;

/// Counts of one family, by the values of its label.
type ByLabel<'a> = Box<dyn Iterator<Item = (&'static str, u64)> + 'a>;

impl Metrics {
    pub(super) fn forwarding(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(forwarder) = &self.forwarder else { return Ok(()) };
        let help = "Questions on their way to a legacy DNS";
        let mut metric = encoder.encode_descriptor("port53_forwards", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&(forwarder.in_flight() as u64))?;
        let help = "Octets of what legacy last said, kept for when it is gone";
        let name = "port53_forward_known_bytes";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&(forwarder.known_octets() as u64))?;
        let help = "1 while the override of this resolver says who answers";
        let mut metric =
            encoder.encode_descriptor("port53_forward_override", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(!self.publisher.forwarding_override().is_empty()))?;

        let mut views = self.publisher.forwarding_zones();
        views.truncate(self.zones_with_metrics);
        let zones: Vec<(String, View)> =
            views.into_iter().map(|view| (name::display(&view.zone.apex), view)).collect();
        who_answers(encoder, &zones)?;
        took(encoder, &zones)?;
        for (name, help, label, pick) in FAMILIES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (zone, view) in &zones {
                for (value, count) in pick(&view.zone.counts) {
                    counter(&mut metric, &[("zone", zone), (label, value)], count)?;
                }
            }
        }
        Ok(())
    }
}

type Family = (&'static str, &'static str, &'static str, fn(&Counts) -> ByLabel<'_>);

const FAMILIES: [Family; 5] = [
    (
        "port53_forwarded",
        "Questions of zones that forward, by whose words they were answered",
        "by",
        |counts| Box::new(counts.answered()),
    ),
    ("port53_forward_instead", "Those that were not answered by legacy, by why", "reason", |counts| {
        Box::new(counts.answered_instead())
    }),
    ("port53_compared", "Answers of legacy that were compared with ours", "result", |counts| {
        Box::new(["same", "differing"].into_iter().zip(counts.compared()))
    }),
    (
        "port53_differences",
        "Those that differ, by what they differ in, each in one or several",
        "kind",
        |counts| Box::new(counts.differences()),
    ),
    ("port53_not_compared", "Answers of legacy that were not compared, by why", "reason", |counts| {
        Box::new(counts.were_not_compared())
    }),
];

fn who_answers(encoder: &mut DescriptorEncoder<'_>, zones: &[(String, View)]) -> Result<(), Error> {
    let help = "1 for who answers a zone that has a legacy DNS: legacy, or port53";
    let mut metric = encoder.encode_descriptor("port53_zone_answerer", help, None, MetricType::Gauge)?;
    for (zone, view) in zones {
        for (answerer, label) in [(Answerer::Legacy, "legacy"), (Answerer::Port53, "port53")] {
            let is_it = u64::from(view.decision.answers == answerer);
            gauge(&mut metric, &[("zone", zone), ("answerer", label)], is_it)?;
        }
    }
    Ok(())
}

fn took(encoder: &mut DescriptorEncoder<'_>, zones: &[(String, View)]) -> Result<(), Error> {
    let help = "From a question forwarded to the answer of legacy";
    let name = "port53_forward_duration_seconds";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (zone, view) in zones {
        let (took, nanos) = view.zone.counts.took();
        let bounds = LEGACY_BOUNDS.iter().map(|&bound| bound as f64 / 1e3).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(took).collect();
        let zone = [("zone", zone.as_str())];
        metric.encode_family(&zone)?.encode_histogram::<NoLabelSet>(
            nanos as f64 / NANOS,
            took.iter().sum(),
            &buckets,
            None,
        )?;
    }
    Ok(())
}
