//! One table of questions, asked over real sockets: of Port53, and of NSD, Knot and BIND with the same zones.
//!
//! Hickory asks and reads, so an answer is judged by code that did not write it. The peers are asked the
//! same: an expectation that only we hold fails, unless its case says which peer differs and why we are
//! right. An exemption that is not needed fails too.

mod aliases;
mod cookies;
mod delegations;
mod dnames;
mod negatives;
mod random;
mod root;
mod signed;
mod sizes;
mod system_calls;
mod table;
mod transfer;
mod values;
mod wildcards;

use port53_tests::PATIENCE;
use port53_tests::ask::{Question, Transport};
use port53_tests::normal::Normal;
use port53_tests::ours::Ours;
use port53_tests::peer::{Peer, Program};
use std::net::SocketAddr;
use table::{Case, Group};

/// What one server serves together, each with its own server: the root would answer for all the others.
const WORLDS: [&[&Group]; 2] = [
    &[
        &wildcards::RFC4592,
        &wildcards::MORE,
        &aliases::GROUP,
        &dnames::GROUP,
        &delegations::GROUP,
        &delegations::PARENT_AND_CHILD,
        &negatives::GROUP,
        &values::GROUP,
        &sizes::GROUP,
        &sizes::LONG_SOA,
    ],
    &[&root::GROUP],
];

#[test]
fn port53_answers_as_the_rfcs_say() {
    let mut wrong = Vec::new();
    for world in WORLDS {
        let files = table::master_files(world);
        let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &table::zones(&files));
        for case in cases(world) {
            wrong.extend(wrong_answers(case, ours.address()));
            if case.cut_over_udp {
                wrong.extend(partial_sets(case, ours.address()));
            }
        }
    }
    report("Port53", &wrong);
}

#[test]
fn nsd_agrees() {
    agrees(Program::Nsd);
}

#[test]
fn knot_agrees() {
    agrees(Program::Knot);
}

#[test]
fn bind_agrees() {
    agrees(Program::Bind);
}

#[track_caller]
fn agrees(program: Program) {
    let mut wrong = Vec::new();
    for world in WORLDS {
        let files = table::master_files(world);
        let peer = Peer::start(program, &table::zones(&files));
        for case in cases(world) {
            let found = wrong_answers(case, peer.address());
            match case.differs.iter().find(|(exempt, _)| *exempt == program) {
                None => wrong.extend(found),
                Some((_, why)) if found.is_empty() => {
                    wrong.push(format!("{}: as expected, so take out the exemption: {why}", case.ask));
                }
                Some(_) => {}
            }
        }
    }
    report(&program.to_string(), &wrong);
}

fn cases(world: &'static [&'static Group]) -> impl Iterator<Item = &'static Case> {
    world.iter().flat_map(|group| group.cases)
}

#[track_caller]
fn report(who: &str, wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{who}: {} answers differ from the table of {} cases, each asked over UDP and TCP:\n{}",
        wrong.len(),
        WORLDS.into_iter().flat_map(cases).count(),
        wrong.join("\n")
    );
}

/// What is wrong with the answers of `server`, over UDP and TCP.
fn wrong_answers(case: &Case, server: SocketAddr) -> Vec<String> {
    let question = Question::new(case.ask, case.payload);
    let expected = case.expected();
    let over = |transport| {
        let expected = match transport {
            Transport::Udp if case.cut_over_udp => expected.cut(),
            _ => expected.clone(),
        };
        match question.ask(server, transport, PATIENCE) {
            Err(error) => Some(format!("{question} over {transport}: {error}")),
            Ok(answer) => {
                let got = Normal::of(&answer);
                let is_minimal = || transport == Transport::Udp && is_minimal_any(case, &got, &expected);
                (got != expected && !is_minimal()).then(|| {
                    format!(
                        "{question} over {transport} ({})\n    expected {expected}\n    got      {got}",
                        case.rfc
                    )
                })
            }
        }
    };
    [Transport::Udp, Transport::Tcp].into_iter().filter_map(over).collect()
}

/// RFC 8482 §4.1: over UDP, ANY may be answered by one RRset of those there, whole.
fn is_minimal_any(case: &Case, got: &Normal, expected: &Normal) -> bool {
    let types: std::collections::BTreeSet<u16> = got.answer.iter().map(|line| line.rtype()).collect();
    let but_for_the_answer = Normal { answer: expected.answer.clone(), ..got.clone() };
    case.ask.ends_with(" ANY")
        && types.len() == 1
        && but_for_the_answer == *expected
        && got.sets_not_whole_in(expected).is_empty()
}

/// What a truncated answer holds of a set that is not whole (RFC 2181 §9). A peer may differ; ours does not.
fn partial_sets(case: &Case, server: SocketAddr) -> Option<String> {
    let question = Question::new(case.ask, case.payload);
    let answer = match question.ask(server, Transport::Udp, PATIENCE) {
        Ok(answer) => answer,
        Err(error) => return Some(format!("{question}: {error}")),
    };
    let whole = case.expected();
    let partial = Normal::sections_of(&answer).sets_not_whole_in(&whole);
    (!partial.is_empty()).then(|| format!("{question}: cut inside of a set: {partial:?}"))
}
