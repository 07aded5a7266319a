//! Servers with the same zones, asked the same questions.

use super::exempt::{self, Exemption};
use super::facts::{Difference, is_at_or_below, wire};
use super::tally::{Finding, Tally};
use crate::ask::{Client, Question, Transport};
use crate::generate::{Asked, Corner, Made};
use crate::normal::Normal;
use crate::ours::Ours;
use crate::peer::{Peer, Program};
use crate::{PATIENCE, Zone};
use hickory_proto::op::Message;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;

/// So many answers fit the buffer of a socket.
const BATCH: usize = 40;

/// A zone that is served, and who serves it.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its name, with the last dot.
    pub apex: String,
    /// Its master file.
    pub text: Rc<str>,
    /// The same without what is refused in it: a peer would refuse the zone with it.
    pub right: Rc<str>,
    /// Its owners, in wire form and lower case.
    pub owners: Rc<BTreeSet<Vec<u8>>>,
    /// Peers that do not load it.
    pub without: Vec<Program>,
}

impl From<&Made> for Served {
    fn from(made: &Made) -> Self {
        let refused_by = |corner: &Corner| match corner {
            // They are undefined (RFC 4592 §4.2 and §4.4), and refused when the zone is loaded.
            Corner::WildcardNs | Corner::WildcardDname => [Program::Bind, Program::Knot],
        };
        let without = made.corners.iter().flat_map(refused_by).collect();
        let text: Rc<str> = made.text().into();
        let owners = made.owners().map(|owner| wire(&owner)).collect();
        Served { apex: made.apex.clone(), right: Rc::clone(&text), text, owners: Rc::new(owners), without }
    }
}

/// Servers with the same zones.
#[derive(Debug)]
pub struct Round<'z> {
    zones: &'z [Served],
    ours: Ours,
    us: Client,
    peers: Vec<(Program, Peer, Client)>,
}

impl<'z> Round<'z> {
    /// Starts `ours`, the program of [`Ours::start`], and the peers.
    ///
    /// # Panics
    /// With what a server printed when it does not come to serve a zone.
    pub fn start(ours: &str, programs: &[Program], zones: &'z [Served]) -> Self {
        let of = |program: Option<Program>| -> Vec<Zone<'z>> {
            let loaded =
                zones.iter().filter(|zone| program.is_none_or(|program| !zone.without.contains(&program)));
            let text = |zone: &'z Served| if program.is_none() { &zone.text } else { &zone.right };
            loaded.map(|zone| Zone { apex: &zone.apex, text: text(zone) }).collect()
        };
        let connect = |address| Client::connect(address, PATIENCE).expect("connects");
        let ours = Ours::start(ours, &of(None));
        let us = connect(ours.address());
        let peers = programs.iter().map(|&program| {
            let peer = Peer::start(program, &of(Some(program)));
            let client = connect(peer.address());
            (program, peer, client)
        });
        Round { zones, us, peers: peers.collect(), ours }
    }

    /// Asks all of them `questions` about the zone with that number, and counts.
    ///
    /// # Panics
    /// When a server does not answer.
    pub fn ask(&mut self, number: usize, questions: &[Asked], tally: &mut Tally) {
        let zone = &self.zones[number];
        tally.zones += 1;
        for asked in questions.chunks(BATCH) {
            let batch: Vec<(Question, Transport)> = asked.iter().map(question).collect();
            let clients = self.peers.iter_mut().filter(|(program, ..)| !zone.without.contains(program));
            let mut clients: Vec<(Program, &mut Client)> =
                clients.map(|(program, _, client)| (*program, client)).collect();
            for (program, client) in &mut clients {
                client.send(&batch).unwrap_or_else(|error| panic!("{program}: {error}"));
            }
            self.us.send(&batch).expect("questions are sent to Port53");
            let receive = |client: &mut Client, who: &str| {
                client.receive(&batch).unwrap_or_else(|error| panic!("{who}: {error}"))
            };
            let ours = receive(&mut self.us, "Port53");
            let theirs: Vec<(Program, Vec<io::Result<Message>>)> = clients
                .into_iter()
                .map(|(program, client)| (program, receive(client, &program.to_string())))
                .collect();
            for (i, asked) in asked.iter().enumerate() {
                let ours = ours[i].as_ref().unwrap_or_else(|error| panic!("Port53: {error}"));
                // A question may lead into another zone than it was made for.
                let nearest = self.nearest(asked).unwrap_or(zone);
                let theirs = theirs.iter().filter(|(program, _)| !nearest.without.contains(program));
                let theirs: Vec<(Program, &io::Result<Message>)> =
                    theirs.map(|(program, answers)| (*program, &answers[i])).collect();
                self.compare(zone, asked, ours, &theirs, tally);
            }
        }
    }

    /// The zone that a question is for, by longest match.
    fn nearest(&self, asked: &Asked) -> Option<&'z Served> {
        let above = |zone: &&Served| is_at_or_below(&wire(&asked.owner), &wire(&zone.apex));
        self.zones.iter().filter(above).max_by_key(|zone| zone.apex.len())
    }

    fn compare(
        &self,
        zone: &Served,
        asked: &Asked,
        ours: &Message,
        theirs: &[(Program, &io::Result<Message>)],
        tally: &mut Tally,
    ) {
        tally.questions += 1;
        let normal = Normal::of(ours);
        let mut sections = None;
        let mut against = Vec::new();
        for (program, message) in theirs {
            tally.answers += 1;
            let message = match message {
                Ok(message) => message,
                Err(_) if exempt::may_be_unreadable(*program, asked) => {
                    tally.exempt(exempt::UNREADABLE, *program);
                    continue;
                }
                Err(error) => panic!("{program}: {error}"),
            };
            let their_normal = Normal::of(message);
            if their_normal == normal {
                continue;
            }
            let whole = sections.get_or_insert_with(|| self.whole(asked, ours));
            let difference = Difference {
                program: *program,
                zones: self.zones,
                zone,
                asked,
                ours: &normal,
                theirs: &their_normal,
                our_sections: whole,
                their_sections: &Normal::sections_of(message),
            };
            match exempt::explain(&difference) {
                Some(Exemption { name, .. }) => tally.exempt(name, *program),
                None => against.push((*program, their_normal)),
            }
        }
        if !against.is_empty() {
            tally.unexplained(Finding { zone: zone.clone(), asked: asked.clone(), ours: normal, against });
        }
    }

    /// What we say when there is room.
    fn whole(&self, asked: &Asked, ours: &Message) -> Normal {
        if !ours.metadata.truncation {
            return Normal::of(ours);
        }
        let question = question(asked).0;
        let whole = question.ask(self.ours.address(), Transport::Tcp, PATIENCE);
        Normal::of(&whole.expect("an answer over TCP"))
    }
}

fn question(asked: &Asked) -> (Question, Transport) {
    let question = Question::new(&format!("{} {}", asked.owner, asked.rtype), asked.payload);
    let question = if asked.dnssec_ok { question.with_dnssec_ok() } else { question };
    (question, if asked.is_tcp { Transport::Tcp } else { Transport::Udp })
}
