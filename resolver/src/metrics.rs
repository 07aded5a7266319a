//! The counters and states in the form that Prometheus reads (OpenMetrics text).
//!
//! Everything is computed at the scrape. Labels are bounded: types and rcodes by the tables of
//! [`crate::traffic`], zones by a setting, because a platform of ten thousand zones would otherwise make
//! its monitoring the largest part of it.

mod forwarding;

use crate::disk::DiskStatus;
use crate::forward::Forwarder;
use crate::health::Health;
use crate::kubernetes::KubernetesStatus;
use crate::reload::ReloadStatus;
use crate::serve::Certificate;
use crate::source::{Publisher, SourceState};
use crate::traffic::{COOKIES, Closed, LATENCY_BOUNDS, Totals, Traffic, Transport};
use crate::transfer::Transfers;
use port53_zone::name;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt::{Debug, Error, Formatter};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Zones that have metrics of their own, by default.
pub const ZONES_WITH_METRICS: usize = 1000;

const NANOS: f64 = 1e9;

/// Everything that is measured, and who knows it.
#[derive(Clone)]
pub struct Metrics {
    /// Queries and connections.
    pub traffic: Arc<Traffic>,
    /// Zones and source.
    pub publisher: Publisher,
    /// The disk cache, when there is one.
    pub disk: Option<Arc<DiskStatus>>,
    /// The API server, when it is the source.
    pub kubernetes: Option<Arc<KubernetesStatus>>,
    /// Zone transfers, where they are offered.
    pub transfers: Option<Arc<Transfers>>,
    /// Readiness.
    pub health: Arc<Health>,
    /// Settings read again.
    pub reloads: Arc<ReloadStatus>,
    /// The certificate of the encrypted transports, when they are listened on.
    pub certificate: Option<Arc<Certificate>>,
    /// Forwarding, where it is done.
    pub forwarder: Option<Arc<Forwarder>>,
    /// How many zones have metrics of their own.
    pub zones_with_metrics: usize,
}

impl Metrics {
    /// The text of a scrape.
    pub fn scrape(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &registry) {
            Ok(()) => text,
            // Writing into a string does not fail; an empty scrape is seen as one.
            Err(_) => String::new(),
        }
    }

    fn queries(&self, encoder: &mut DescriptorEncoder<'_>, totals: &[(&str, Totals)]) -> Result<(), Error> {
        let help = "Responses by transport, type of the question and response code";
        let mut metric = encoder.encode_descriptor("port53_queries", help, None, MetricType::Counter)?;
        for (transport, totals) in totals {
            for (qtype, rcode, count) in &totals.queries {
                let labels = [("transport", *transport), ("qtype", *qtype), ("rcode", *rcode)];
                counter(&mut metric, &labels, *count)?;
            }
        }
        let help = "From the message read to its response handed to the system";
        let name = "port53_query_duration_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (transport, totals) in totals {
            let bounds = LATENCY_BOUNDS.iter().map(|&nanos| nanos as f64 / NANOS).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(totals.latency).collect();
            let sum = totals.latency_sum as f64 / NANOS;
            metric.encode_family(&[("transport", *transport)])?.encode_histogram::<NoLabelSet>(
                sum,
                totals.latency.iter().sum(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn messages(&self, encoder: &mut DescriptorEncoder<'_>, totals: &[(&str, Totals)]) -> Result<(), Error> {
        type Pick = fn(&Totals) -> u64;
        let counters: [(&str, &str, Pick); 8] = [
            ("port53_messages_received", "Messages received", |t| t.received),
            ("port53_responses_truncated", "Responses with TC", |t| t.truncated),
            ("port53_messages_unanswered", "Messages that must not be answered, such as responses", |t| {
                t.unanswered
            }),
            ("port53_messages_bad_source", "Messages dropped for a source port that no resolver has", |t| {
                t.bad_source
            }),
            ("port53_responses_failed", "Responses that could not be sent", |t| t.send_failed),
            (
                "port53_responses_limited",
                "Responses that were not sent because their client had too many",
                |t| t.limited,
            ),
            ("port53_responses_slipped", "Responses shortened to TC or BADCOOKIE for the same reason", |t| {
                t.slipped
            }),
            ("port53_worker_panics", "Times that answering panicked, which is a bug", |t| t.panics),
        ];
        for (name, help, pick) in counters {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (transport, totals) in totals {
                counter(&mut metric, &[("transport", *transport)], pick(totals))?;
            }
        }
        Ok(())
    }

    fn cookies(&self, encoder: &mut DescriptorEncoder<'_>, totals: &[(&str, Totals)]) -> Result<(), Error> {
        let help = "Queries with a DNS cookie, by what it shows";
        let mut metric = encoder.encode_descriptor("port53_cookies", help, None, MetricType::Counter)?;
        for (transport, totals) in totals {
            for ((_, label), count) in COOKIES.iter().zip(totals.cookies) {
                counter(&mut metric, &[("transport", *transport), ("cookie", *label)], count)?;
            }
        }
        Ok(())
    }

    fn connections(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let transports = || Transport::ALL.into_iter().filter(|(transport, _)| *transport != Transport::Udp);
        let help = "Connections accepted";
        let name = "port53_connections_accepted";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (transport, label) in transports() {
            counter(&mut metric, &[("transport", label)], self.traffic.accepted(transport))?;
        }
        let help = "Connections that are open";
        let mut metric = encoder.encode_descriptor("port53_connections", help, None, MetricType::Gauge)?;
        for (transport, label) in transports() {
            let accepted = self.traffic.accepted(transport);
            let closed: u64 =
                Closed::ALL.iter().map(|(reason, _)| self.traffic.closed(transport, *reason)).sum();
            gauge(&mut metric, &[("transport", label)], accepted.saturating_sub(closed))?;
        }
        let help = "Connections ended, by reason";
        let name = "port53_connections_closed";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (transport, label) in transports() {
            for (reason, why) in Closed::ALL {
                let labels = [("transport", label), ("reason", why)];
                counter(&mut metric, &labels, self.traffic.closed(transport, reason))?;
            }
        }
        Ok(())
    }

    fn certificate(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(certificate) = &self.certificate else { return Ok(()) };
        let help = "1 when the files of the certificate hold something wrong, and an older one is in use";
        let name = "port53_certificate_wrong";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(certificate.is_wrong()))?;
        let help = "When the certificate in use ends, in seconds since 1970";
        let name = "port53_certificate_expiry_timestamp_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&certificate.expires())?;
        for (name, help, count) in [
            ("port53_certificate_loads", "Certificates taken into use", certificate.loads()),
            ("port53_certificate_failures", "Changes to a certificate that is wrong", certificate.failures()),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter(&mut metric, &[], count)?;
        }
        Ok(())
    }

    fn zones(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let overview = self.publisher.overview();
        let serving = overview.zones.iter().filter(|zone| zone.image.is_some()).count();
        let help = "Zones, by state: serving, or assembling (answered with SERVFAIL)";
        let mut metric = encoder.encode_descriptor("port53_zones", help, None, MetricType::Gauge)?;
        gauge(&mut metric, &[("state", "serving")], serving as u64)?;
        gauge(&mut metric, &[("state", "assembling")], (overview.zones.len() - serving) as u64)?;

        let served: Vec<_> = overview
            .zones
            .iter()
            .filter_map(|zone| Some((name::display(&zone.apex), zone.updated, zone.image.as_ref()?)))
            .take(self.zones_with_metrics)
            .collect();
        let help = "Zones in service that have no metrics of their own, for their number";
        let mut metric =
            encoder.encode_descriptor("port53_zones_without_metrics", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&((serving - served.len()) as u64))?;
        let help = "Serial in service";
        let mut metric = encoder.encode_descriptor("port53_zone_serial", help, None, MetricType::Gauge)?;
        for (zone, _, image) in &served {
            gauge(&mut metric, &[("zone", zone)], u64::from(image.soa().serial))?;
        }
        let help = "RRsets in service, without the SOA";
        let mut metric = encoder.encode_descriptor("port53_zone_rrsets", help, None, MetricType::Gauge)?;
        for (zone, _, image) in &served {
            gauge(&mut metric, &[("zone", zone)], image.content().len() as u64)?;
        }
        let now = Instant::now();
        let help = "Since the content last changed";
        let mut metric =
            encoder.encode_descriptor("port53_zone_age_seconds", help, None, MetricType::Gauge)?;
        for (zone, updated, _) in &served {
            gauge(&mut metric, &[("zone", zone)], now.saturating_duration_since(*updated).as_secs())?;
        }
        let help = "1 for the state that the source is in";
        let mut metric = encoder.encode_descriptor("port53_source_state", help, None, MetricType::Gauge)?;
        for label in SourceState::LABELS {
            gauge(&mut metric, &[("state", label)], u64::from(overview.source.label() == label))?;
        }
        let help = "1 once ready";
        let mut metric = encoder.encode_descriptor("port53_ready", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(self.health.report().ready))
    }

    fn disk(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let help = "1 when the disk cache could last be written";
        let mut metric = encoder.encode_descriptor("port53_disk_writable", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(disk.failure().is_none()))?;
        for (name, help, count) in [
            ("port53_disk_writes", "Zones written to the disk cache", &disk.writes),
            ("port53_disk_write_failures", "Writes to the disk cache that failed", &disk.failures),
            ("port53_disk_corrupt_files", "Damaged files of the disk cache, set aside", &disk.corrupt),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter(&mut metric, &[], count.load(Relaxed))?;
        }
        Ok(())
    }
}

impl Metrics {
    fn reloads(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "Settings read again while running";
        let mut metric =
            encoder.encode_descriptor("port53_config_reloads", help, None, MetricType::Counter)?;
        counter(&mut metric, &[("result", "taken")], self.reloads.done.load(Relaxed))?;
        counter(&mut metric, &[("result", "refused")], self.reloads.refused.load(Relaxed))?;
        let help = "1 when the settings last read are in effect, 0 when they are wrong";
        let mut metric = encoder.encode_descriptor("port53_config_current", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(!self.reloads.is_refused.load(Relaxed)))
    }

    fn kubernetes(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(source) = &self.kubernetes else { return Ok(()) };
        let help = "Zones whose newest ZoneHead is not what is served";
        let mut metric = encoder.encode_descriptor("port53_zones_behind", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&source.behind.load(Relaxed))?;
        for (name, help, count) in [
            ("port53_source_lists", "Lists of ZoneHeads that were begun", &*source.lists),
            ("port53_heads_refused", "ZoneHeads that were not followed, each fault once", &source.refused),
            ("port53_assemblies", "Checkpoints that were begun to be read", &source.assemblies),
            ("port53_assembly_failures", "Checkpoints that could not be read", &source.assembly_failures),
            ("port53_slices_fetched", "ZoneSlices that were fetched", &*source.slices),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter(&mut metric, &[], count.load(Relaxed))?;
        }
        Ok(())
    }
}

impl Metrics {
    fn transfers(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(transfers) = &self.transfers else { return Ok(()) };
        let ([whole, differences], [refused, busy]) = (transfers.sent(), transfers.not_sent());
        let [sent, answered, given_up] = transfers.notified();
        let mut by_outcome = |name: &str, help: &str, outcomes: &[(&str, u64)]| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            outcomes
                .iter()
                .try_for_each(|(outcome, count)| counter(&mut metric, &[("outcome", outcome)], *count))
        };
        by_outcome(
            "port53_transfers",
            "Zone transfers that were asked for, by what was sent",
            &[("whole", whole), ("differences", differences), ("refused", refused), ("busy", busy)],
        )?;
        by_outcome(
            "port53_notify",
            "NOTIFY messages sent, answered, and versions that a secondary never heard of",
            &[("sent", sent), ("answered", answered), ("given-up", given_up)],
        )?;
        let help = "Octets of what changed, kept for IXFR";
        let name = "port53_transfer_journal_bytes";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&(transfers.journal_octets() as u64))
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let totals = Transport::ALL.map(|(transport, label)| (label, self.traffic.totals(transport)));
        self.queries(&mut encoder, &totals)?;
        self.messages(&mut encoder, &totals)?;
        self.cookies(&mut encoder, &totals)?;
        self.connections(&mut encoder)?;
        self.certificate(&mut encoder)?;
        self.zones(&mut encoder)?;
        self.disk(&mut encoder)?;
        self.reloads(&mut encoder)?;
        self.kubernetes(&mut encoder)?;
        self.transfers(&mut encoder)?;
        self.forwarding(&mut encoder)
    }
}

impl Debug for Metrics {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result<(), Error> {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn counter(metric: &mut MetricEncoder<'_>, labels: &[(&str, &str)], count: u64) -> Result<(), Error> {
    if labels.is_empty() {
        return metric.encode_counter::<NoLabelSet, _, u64>(&count, None);
    }
    metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
}

fn gauge(metric: &mut MetricEncoder<'_>, labels: &[(&str, &str)], value: u64) -> Result<(), Error> {
    metric.encode_family(&labels)?.encode_gauge(&value)
}
