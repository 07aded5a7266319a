//! Counts of a run, and what is printed of it.

use super::round::Served;
use crate::generate::Asked;
use crate::normal::Normal;
use crate::peer::Program;
use std::collections::BTreeMap;
use std::fmt;

/// Findings that are kept whole.
const KEPT: usize = 400;

/// What no exemption explains.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The zone that was asked for.
    pub zone: Served,
    /// The question.
    pub asked: Asked,
    /// What we say.
    pub ours: Normal,
    /// What peers say.
    pub against: Vec<(Program, Normal)>,
}

/// What was done and found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Zones that were asked for.
    pub zones: u64,
    /// Questions, each asked of us and of every peer.
    pub questions: u64,
    /// Answers of peers that were compared with ours.
    pub answers: u64,
    /// Questions that have an unexplained difference.
    pub wrong: u64,
    exempt: BTreeMap<(&'static str, Program), u64>,
    findings: Vec<Finding>,
}

impl Tally {
    pub(super) fn exempt(&mut self, name: &'static str, program: Program) {
        *self.exempt.entry((name, program)).or_default() += 1;
    }

    pub(super) fn unexplained(&mut self, finding: Finding) {
        self.wrong += 1;
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        }
    }

    /// What was found first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// One line of how far it is.
    pub fn progress(&self) -> String {
        let exempt: u64 = self.exempt.values().sum();
        let Tally { zones, questions, answers, wrong, .. } = self;
        format!(
            "{zones} zones, {questions} questions, {answers} answers compared: {exempt} differences explained, {wrong} questions with an unexplained one"
        )
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.progress())?;
        for ((name, program), count) in &self.exempt {
            writeln!(f, "  {count:>8} {program:<9} {name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { owner, rtype, payload, dnssec_ok, is_tcp } = &self.asked;
        write!(f, "{owner} {rtype}{}", if *is_tcp { " over TCP" } else { "" })?;
        match payload {
            Some(payload) => write!(f, " with EDNS {payload}{}", if *dnssec_ok { " DO" } else { "" })?,
            None => f.write_str(" without EDNS")?,
        }
        write!(f, "\n    Port53    {}", self.ours)?;
        for (program, normal) in &self.against {
            write!(f, "\n    {program:<9} {normal}")?;
        }
        Ok(())
    }
}
