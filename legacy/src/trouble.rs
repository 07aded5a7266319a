//! What can go wrong with a legacy server, for the person who must act and for the program that must decide whether
//! to go on.

use domain::base::iana::Rcode;
use port53_secondaries::tsig::Flaw;
use port53_zone::content::ContentError;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::Duration;

/// Why there is no answer that can be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// No address takes a connection. Nothing was sent.
    #[error("cannot be reached: {}", list(.0))]
    Unreachable(Vec<Attempt>),
    /// One was reached and asked, and then this.
    #[error("{address}, {step}: {wrong}")]
    Server {
        /// Who was asked.
        address: SocketAddr,
        /// What for.
        step: Step,
        /// What came of it.
        wrong: Wrong,
    },
    /// What should be sent fits no message, or is no update of one name. Nothing was sent.
    #[error("cannot be sent: {0}")]
    Unsayable(String),
}

/// A connection that was not made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// To whom.
    pub address: SocketAddr,
    /// Why not.
    pub why: String,
}

fn list(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "there is no address: name one, such as 192.0.2.53:53".to_owned();
    }
    let each = attempts.iter().map(|Attempt { address, why }| format!("{address} ({why})"));
    each.collect::<Vec<_>>().join(", ")
}

/// What a server was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The SOA of the zone.
    Soa,
    /// A transfer, whole or of what changed.
    Transfer,
    /// An RRset, or any question.
    Question,
    /// An update, or whether its prerequisites hold.
    Update,
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Soa => "asked for the SOA",
            Step::Transfer => "asked for a transfer",
            Step::Question => "asked a question",
            Step::Update => "sent an update",
        })
    }
}

/// What came of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Wrong {
    /// Nothing, for as long as was waited.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The connection ended before there was an answer.
    #[error("the connection ended before there was an answer: {0}")]
    Closed(String),
    /// Another rcode than NOERROR, and what the answer says of our signature.
    #[error("{}", refused(.rcode, .said))]
    Refused {
        /// The rcode.
        rcode: Rcode,
        /// BADKEY, BADSIG, BADTIME; or that a signed query was refused unsigned, as whoever does not take the signature
        /// does (RFC 8945 §5.3), PowerDNS without another word.
        said: Option<Flaw>,
    },
    /// A prerequisite of an update does not hold, and nothing was changed (RFC 2136 §3.2): NXRRSET, YXRRSET, YXDOMAIN
    /// or NXDOMAIN.
    #[error("a prerequisite of the update does not hold ({0}): the name was changed there by someone else")]
    Prerequisite(Rcode),
    /// The signature of the answer is missing or wrong.
    #[error("the answer {0}")]
    Signature(Flaw),
    /// What came is no DNS message, or no answer to what was asked.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// It is not authoritative for the zone, or has no such zone.
    #[error("it is not authoritative for {0}: name a server that the zone is configured on")]
    NotAuthoritative(String),
    /// The name is an alias there, or below one (CNAME, DNAME): the question was not about its own records.
    #[error("{0} is an alias there, or below a DNAME, and its own records are not to be seen")]
    Alias(String),
    /// The name is delegated there: its records are not the zone's own.
    #[error("{0} is delegated there, and what is below the delegation is not to be seen")]
    Delegated(String),
    /// The answer is about another zone.
    #[error("it answers for the zone {0}, which was not asked for")]
    AnotherZone(String),
    /// A record that is not in the zone.
    #[error("it has the record {0}, which is outside of the zone")]
    OutOfZone(String),
    /// A class other than IN.
    #[error("it has a record of class {0}, and only IN is known here")]
    Class(u16),
    /// What was offered is older than what is held (RFC 1982).
    #[error(
        "it has serial {offered}, which is older than {held}, which was seen before: raise it above {held} there"
    )]
    Older {
        /// Its serial.
        offered: u32,
        /// Ours.
        held: u32,
    },
    /// The first and the last SOA of a transfer are not the same (RFC 5936 §2.2).
    #[error("the transfer begins with serial {first} and ends with {last}, or their SOAs differ otherwise")]
    TwoVersions {
        /// Of the first SOA.
        first: u32,
        /// Of the last.
        last: u32,
    },
    /// Differences that do not follow each other from the version that is held to the one that is offered.
    #[error("the differences go from {from} to {to}, and {expected} was to come: transfer the whole zone")]
    Chain {
        /// Where the difference begins.
        from: u32,
        /// Where it ends.
        to: u32,
        /// Where it should have begun or ended.
        expected: u32,
    },
    /// Differences that are not those of what is held.
    #[error("the differences {0}: transfer the whole zone")]
    Differences(String),
    /// Records after the last SOA.
    #[error("there are records after the last SOA of the transfer")]
    AfterTheEnd,
    /// The transfer ended before its last SOA: half a zone.
    #[error("the transfer ended after {0} records, before its last SOA")]
    Half(u64),
    /// Nothing came for too long in the middle of a transfer.
    #[error("the transfer stopped after {records} records: nothing came for {} s", .silence.as_secs_f32())]
    Stalled {
        /// How many had come.
        records: u64,
        /// How long was waited.
        silence: Duration,
    },
    /// The transfer took longer than it may.
    #[error("the transfer took longer than {} s, after {records} records", .whole.as_secs_f32())]
    Slow {
        /// How many had come.
        records: u64,
        /// How long it may take.
        whole: Duration,
    },
    /// More octets than are taken.
    #[error("the transfer has more than {0} octets: raise the limit if the zone is so large")]
    TooManyOctets(u64),
    /// More records than are taken.
    #[error("the transfer has more than {0} records: raise the limit if the zone is so large")]
    TooManyRecords(u64),
    /// What came cannot be held.
    #[error("what it has cannot be held here: {0}")]
    Content(#[from] ContentError),
}

fn refused(rcode: &Rcode, said: &Option<Flaw>) -> String {
    let hint = match *rcode {
        _ if said.is_some() => "",
        Rcode::REFUSED => ": let it allow this, for this address or the key",
        Rcode::NOTAUTH => ": it has no such zone, or does not know the key",
        Rcode::NOTIMP => ": it cannot do this",
        Rcode::SERVFAIL => ": it cannot answer now; its log says why",
        _ => "",
    };
    match said {
        Some(Flaw::Said(error)) => format!("it refuses the query: {rcode}, {error}"),
        Some(_) => format!(
            "it refuses the query: {rcode}, and does not sign that: it may not know the key, or have another secret \
             or another time"
        ),
        None => format!("it refuses the query: {rcode}{hint}"),
    }
}

/// What is known after trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Nothing was done, and it may go well another time: the server is away, busy, or does not know the key yet.
    Passing,
    /// Nothing was done, and it will be the same again until someone changes something: an update with its rcode,
    /// a question that is refused, a transfer that lies.
    Final,
    /// An update was sent, and whether it was done is not known: read back before deciding.
    Unknown,
}

impl Trouble {
    /// What is known now.
    ///
    /// A signature that the server does not take (BADKEY, BADSIG, BADTIME, any unsigned refusal but NOTIMP) is passing: it
    /// is about the key, not about what was sent; and NOTAUTH is about the key or the zone. So is SERVFAIL, after
    /// which an update is undone (RFC 2136 §3.5).
    pub fn outcome(&self) -> Outcome {
        let (step, wrong) = match self {
            Trouble::Unreachable(_) => return Outcome::Passing,
            Trouble::Unsayable(_) => return Outcome::Final,
            Trouble::Server { step, wrong, .. } => (step, wrong),
        };
        match wrong {
            Wrong::Refused { rcode: Rcode::NOTIMP, .. } => Outcome::Final,
            Wrong::Refused { said: Some(_), .. } => Outcome::Passing,
            Wrong::Refused { rcode: Rcode::SERVFAIL | Rcode::NOTAUTH, .. } => Outcome::Passing,
            Wrong::Refused { .. } | Wrong::Prerequisite(_) => Outcome::Final,
            _ if *step == Step::Update => Outcome::Unknown,
            Wrong::TimedOut(_) | Wrong::Closed(_) | Wrong::Half(_) => Outcome::Passing,
            Wrong::Stalled { .. } | Wrong::Slow { .. } => Outcome::Passing,
            _ => Outcome::Final,
        }
    }

    /// The rcode of the answer, when it was that which said no.
    pub fn rcode(&self) -> Option<Rcode> {
        match self {
            Trouble::Server { wrong: Wrong::Refused { rcode, .. } | Wrong::Prerequisite(rcode), .. } => {
                Some(*rcode)
            }
            _ => None,
        }
    }

    /// What came of it, when a server was asked.
    pub fn wrong(&self) -> Option<&Wrong> {
        match self {
            Trouble::Server { wrong, .. } => Some(wrong),
            Trouble::Unreachable(_) | Trouble::Unsayable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_secondaries::tsig::TsigError;

    fn of(step: Step, wrong: Wrong) -> Trouble {
        Trouble::Server { address: ([192, 0, 2, 53], 53).into(), step, wrong }
    }

    /// Of an update it is known that nothing was done, or it is not: never is a no made of silence.
    #[test]
    fn what_is_known_of_an_update() {
        let refused = |rcode, said| Wrong::Refused { rcode, said };
        let seconds = Duration::from_secs(5);
        for (wrong, expected) in [
            (refused(Rcode::REFUSED, None), Outcome::Final),
            (refused(Rcode::NOTIMP, None), Outcome::Final),
            (refused(Rcode::NOTIMP, Some(Flaw::Unsigned)), Outcome::Final),
            (refused(Rcode::NOTZONE, None), Outcome::Final),
            (refused(Rcode::NOTAUTH, None), Outcome::Passing),
            (refused(Rcode::REFUSED, Some(Flaw::Unsigned)), Outcome::Passing),
            (refused(Rcode::SERVFAIL, None), Outcome::Passing),
            (refused(Rcode::NOTAUTH, Some(Flaw::Said(TsigError::BadTime))), Outcome::Passing),
            (Wrong::Prerequisite(Rcode::NXRRSET), Outcome::Final),
            (Wrong::TimedOut(seconds), Outcome::Unknown),
            (Wrong::Closed("it was closed".to_owned()), Outcome::Unknown),
            (Wrong::Malformed("it is shorter than a header"), Outcome::Unknown),
            (Wrong::Signature(Flaw::Unsigned), Outcome::Unknown),
        ] {
            assert_eq!(of(Step::Update, wrong.clone()).outcome(), expected, "{wrong}");
        }
        assert_eq!(of(Step::Transfer, Wrong::TimedOut(seconds)).outcome(), Outcome::Passing);
        assert_eq!(of(Step::Transfer, Wrong::Half(7)).outcome(), Outcome::Passing);
        assert_eq!(of(Step::Transfer, Wrong::AfterTheEnd).outcome(), Outcome::Final);
        assert_eq!(Trouble::Unreachable(Vec::new()).outcome(), Outcome::Passing);
    }

    #[test]
    fn it_says_who_was_asked_what_and_what_to_do() {
        let said = Some(Flaw::Said(TsigError::BadKey));
        let trouble = of(Step::Transfer, Wrong::Refused { rcode: Rcode::NOTAUTH, said });
        assert_eq!(
            trouble.to_string(),
            "192.0.2.53:53, asked for a transfer: it refuses the query: NOTAUTH, BADKEY: the server knows no key of \
             this name and algorithm; name one that it has"
        );
        let attempt =
            |port, why: &str| Attempt { address: ([192, 0, 2, 53], port).into(), why: why.to_owned() };
        let trouble =
            Trouble::Unreachable(vec![attempt(53, "refused"), attempt(5353, "no connection within 5 s")]);
        assert_eq!(
            trouble.to_string(),
            "cannot be reached: 192.0.2.53:53 (refused), 192.0.2.53:5353 (no connection within 5 s)"
        );
    }
}
