//! The table and the JSON: medians over the rounds, and what each round said.

use crate::RunArguments;
use crate::inputs::Input;
use crate::servers::Server;
use port53_tests::dnsperf::Asked;
use port53_tests::machine;
use port53_tests::usage::Usage;
use serde_json::{Value, json};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// All measurements on one set of zones.
pub(crate) struct Run {
    pub(crate) input: Input,
    pub(crate) measured: Vec<Measured>,
}

/// One server in one round.
pub(crate) struct Measured {
    pub(crate) server: Server,
    pub(crate) loaded_in: Duration,
    pub(crate) at_start: Usage,
    pub(crate) at_end: Usage,
    /// As fast as answers come.
    pub(crate) closed: Asked,
    pub(crate) closed_cpu: Usage,
    /// At one rate.
    pub(crate) paced: Asked,
    pub(crate) paced_cpu: Usage,
}

pub(crate) struct Report<'a> {
    pub(crate) arguments: &'a RunArguments,
    pub(crate) runs: &'a [Run],
    pub(crate) took: Duration,
}

impl Run {
    /// Octets of an answer of ours, where that is known.
    pub(crate) fn answer_octets(&self) -> Option<usize> {
        self.of(Server::Ours).map(|measured| measured.closed.answer_octets).next()
    }

    fn of(&self, server: Server) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(move |measured| measured.server == server)
    }

    /// The median over the rounds of `server`.
    fn median(&self, server: Server, value: impl Fn(&Measured) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.of(server).map(value).collect();
        values.sort_by(f64::total_cmp);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len().max(1) - 1) / 2)?;
        Some((lower + upper) / 2.0)
    }
}

fn per_query(time: Duration, asked: &Asked) -> f64 {
    time.as_secs_f64() * 1e6 / asked.answered.max(1) as f64
}

impl Measured {
    /// Microseconds of processor time for a query, at one rate: of the server itself, and of the system for it.
    fn paced_us(&self) -> (f64, f64) {
        (per_query(self.paced_cpu.user, &self.paced), per_query(self.paced_cpu.system, &self.paced))
    }

    fn closed_us(&self) -> (f64, f64) {
        (per_query(self.closed_cpu.user, &self.closed), per_query(self.closed_cpu.system, &self.closed))
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, system) = self.paced_us();
        write!(
            f,
            "{}: {:.0} qps; {:.2} + {:.2} us a query at {:.0} qps; {:.1} MiB; loaded in {} ms; {}",
            self.server,
            self.closed.qps,
            user,
            system,
            self.paced.qps,
            self.at_start.resident as f64 / f64::from(1 << 20),
            self.loaded_in.as_millis(),
            self.closed.rcodes
        )
    }
}

impl Report<'_> {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let arguments = self.arguments;
        writeln!(
            text,
            "# How fast queries over UDP are answered\n\n\
             `make bench`: one server at a time with one thread on core 0, dnsperf on core 1; {} rounds, each server once a\n\
             round; medians. Questions: 70 % exist, 20 % of names that do not, 10 % of types that do not, with EDNS.\n\
             Queries a second: {} s as fast as answers come, 100 under way. Processor time of the server for a query: {} s\n\
             at {} queries a second, the same for all (and in brackets as fast as answers come, where batches are larger).\n\
             Memory: what is resident after loading, a page of several processes once, and the most it ever was. Load\n\
             time: from the start of the process to the answer for the last zone, ours from its disk cache and the peers\n\
             from master files. echo: the system calls of ours and answers as long, without a thought.\n\n{}",
            arguments.rounds,
            arguments.seconds,
            arguments.seconds,
            arguments.rate,
            machine::describe(&arguments.commit)
        )?;
        for run in self.runs {
            let (count, zones) = (run.input.rrsets(), run.input.zones.len());
            writeln!(text, "\n## {}: {count} RRsets in {zones} zones\n", run.input.which)?;
            writeln!(
                text,
                "| server | queries/s | CPU a query, µs | user | system | latency, µs | answer, octets | resident, MiB | a RRset, octets | peak, MiB | load, ms |\n\
                 |---|---|---|---|---|---|---|---|---|---|---|"
            )?;
            for &server in &arguments.servers {
                let of = |value: &dyn Fn(&Measured) -> f64| run.median(server, value).unwrap_or(f64::NAN);
                let mebibytes = |octets: f64| octets / f64::from(1 << 20);
                let resident = of(&|m| m.at_start.resident as f64);
                writeln!(
                    text,
                    "| {server} | {:.0} | {:.2} ({:.2}) | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} | {:.0} | {:.1} | {:.0} |",
                    of(&|m| m.closed.qps),
                    of(&|m| m.paced_us().0 + m.paced_us().1),
                    of(&|m| m.closed_us().0 + m.closed_us().1),
                    of(&|m| m.paced_us().0),
                    of(&|m| m.paced_us().1),
                    of(&|m| m.paced.latency_us),
                    of(&|m| m.paced.answer_octets as f64),
                    mebibytes(resident),
                    resident / count as f64,
                    mebibytes(of(&|m| m.at_end.peak as f64)),
                    of(&|m| m.loaded_in.as_secs_f64() * 1e3),
                )?;
            }
            writeln!(text, "\n{}", self.goals(run))?;
        }
        writeln!(text, "\nThe whole took {} minutes.", self.took.as_secs().div_ceil(60))
    }

    /// The goals of this project beside what was seen.
    fn goals(&self, run: &Run) -> String {
        let cpu = |server| run.median(server, |m| m.paced_us().0 + m.paced_us().1);
        let qps = |server| run.median(server, |m| m.closed.qps);
        let peers = self.arguments.servers.iter().copied().filter(|server| server.is_peer());
        let best = peers.filter_map(|peer| Some((qps(peer)?, peer))).max_by(|a, b| a.0.total_cmp(&b.0));
        let mut lines = Vec::new();
        if let (Some(ours), Some(echo)) = (cpu(Server::Ours), cpu(Server::Echo)) {
            lines.push(verdict("CPU a query against echo", ours / echo, 1.08, true));
        }
        if let (Some(ours), Some((best, peer))) = (qps(Server::Ours), best) {
            lines.push(verdict(
                &format!("queries a second against {peer}, the best peer"),
                ours / best,
                1.2,
                false,
            ));
        }
        lines.join("\n")
    }

    pub(crate) fn json(&self) -> String {
        let of = |measured: &Measured| {
            json!({
                "server": measured.server.to_string(),
                "load_ms": measured.loaded_in.as_secs_f64() * 1e3,
                "resident_octets": measured.at_start.resident,
                "resident_octets_at_end": measured.at_end.resident,
                "peak_octets": measured.at_end.peak,
                "closed": asked(&measured.closed, &measured.closed_cpu),
                "paced": asked(&measured.paced, &measured.paced_cpu),
            })
        };
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|run| {
                json!({
                    "set": run.input.which.to_string(),
                    "zones": run.input.zones.len(),
                    "rrsets": run.input.rrsets(),
                    "measured": run.measured.iter().map(of).collect::<Vec<_>>(),
                })
            })
            .collect();
        let report = json!({
            "machine": machine::describe(&self.arguments.commit),
            "commit": self.arguments.commit,
            "rounds": self.arguments.rounds,
            "seconds": self.arguments.seconds,
            "rate": self.arguments.rate,
            "runs": runs,
        });
        format!("{report:#}\n")
    }
}

fn asked(asked: &Asked, cpu: &Usage) -> Value {
    json!({
        "sent": asked.sent,
        "answered": asked.answered,
        "qps": asked.qps,
        "latency_us": asked.latency_us,
        "latency_max_us": asked.latency_max_us,
        "answer_octets": asked.answer_octets,
        "rcodes": asked.rcodes,
        "user_us_per_query": per_query(cpu.user, asked),
        "system_us_per_query": per_query(cpu.system, asked),
    })
}

fn verdict(what: &str, ratio: f64, goal: f64, is_most: bool) -> String {
    let (word, met) = if is_most { ("at most", ratio <= goal) } else { ("at least", ratio >= goal) };
    format!("- {what}: {ratio:.2}; the goal of {word} {goal} is {}", if met { "met." } else { "missed." })
}
