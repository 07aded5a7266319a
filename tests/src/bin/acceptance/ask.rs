//! Asks a server for every RRset of a zone, and compares.

use crate::PATIENCE;
use crate::expect::{self, Serial, Verdict};
use crate::input::{Input, Key};
use domain::base::iana::Rtype;
use port53_tests::ask::{Client, Question, Transport};
use port53_zone::{Name, name, rdata};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::SocketAddr;

/// What a client offers for UDP (RFC 9715 §3.2).
const PAYLOAD: u16 = 1232;

/// How a zone is given to Port53.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    MasterFile,
    Manifests,
    Cluster,
}

/// What came of one zone in one form.
pub(crate) struct Outcome {
    pub(crate) zone: String,
    pub(crate) form: Form,
    pub(crate) rrsets: usize,
    pub(crate) accepted: usize,
    /// How many, by why.
    pub(crate) rejected: BTreeMap<String, usize>,
    /// What those who are rejected were told.
    pub(crate) told: Vec<String>,
    pub(crate) asked: usize,
    pub(crate) right: usize,
    pub(crate) failures: Vec<String>,
    pub(crate) seconds: f64,
}

impl Outcome {
    pub(crate) fn new(input: &Input, form: Form) -> Self {
        Outcome {
            zone: text_of(&input.apex),
            form,
            rrsets: input.rrsets.len(),
            accepted: 0,
            rejected: BTreeMap::new(),
            told: Vec::new(),
            asked: 0,
            right: 0,
            failures: Vec::new(),
            seconds: 0.0,
        }
    }

    /// What is left out of manifests must be what comes from signing, and nothing else.
    pub(crate) fn is_left_out(&mut self, input: &Input, left_out: usize) {
        let from_signing = input.rrsets.keys().filter(|key| is_from_signing(key)).count();
        if left_out != from_signing {
            self.failures.push(format!("{left_out} are not imported, and {from_signing} come from signing"));
        }
        if left_out > 0 {
            self.rejected.insert("not imported: signing makes it".to_owned(), left_out);
        }
    }
}

/// Asks for every RRset over both transports. Returns those that are absent because of a clash.
pub(crate) fn ask_all(
    input: &Input,
    address: SocketAddr,
    outcome: &mut Outcome,
) -> Result<BTreeSet<Key>, Box<dyn Error>> {
    let mut client = Client::connect(address, PATIENCE)?;
    let mut absent = BTreeSet::new();
    let serial = if outcome.form == Form::Cluster { Serial::NotEarlier } else { Serial::Same };
    outcome.accepted = 0;
    for key in input.rrsets.keys() {
        let question = Question::new(&text_of_key(key), Some(PAYLOAD));
        let mut verdicts = Vec::new();
        for transport in [Transport::Udp, Transport::Tcp] {
            outcome.asked += 1;
            verdicts.push(expect::judge(input, key, &client.ask(&question, transport)?, serial));
        }
        let is_not_imported = outcome.form != Form::MasterFile && is_from_signing(key);
        match (&verdicts[0], &verdicts[1]) {
            (Verdict::Right | Verdict::Truncated, Verdict::Right) => {
                outcome.right += 2;
                outcome.accepted += usize::from(!is_not_imported);
            }
            (Verdict::Absent, Verdict::Absent) if is_not_imported => outcome.right += 2,
            (Verdict::Absent, Verdict::Absent) if input.clashes(&key.0) => {
                outcome.right += 2;
                absent.insert(key.clone());
            }
            (udp, tcp) => {
                outcome.failures.push(format!("{address}: {question}: UDP {udp:?}, TCP {tcp:?}"));
            }
        }
    }
    Ok(absent)
}

/// What is never a DNSRecord.
fn is_from_signing((_, rtype): &Key) -> bool {
    [Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3].iter().any(|made| made.to_int() == *rtype)
}

pub(crate) fn text_of_key((owner, rtype): &Key) -> String {
    format!("{} {}", text_of(owner), rdata::display_rtype(port53_zone::Rtype::from_int(*rtype)))
}

pub(crate) fn text_of(owner: &[u8]) -> String {
    Name::from_octets(owner.to_vec().into())
        .map_or_else(|_| format!("{owner:?}"), |owner| name::display(&owner))
}
