//! Who answers for a zone that moves here from a legacy DNS. Pure.
//!
//! | the override of this resolver | the head's `cutOver` | answers |
//! |---|---|---|
//! | `fallback` | whatever it says | legacy |
//! | `fallback --answer` | whatever it says | Port53 |
//! | none | names this nameserver | Port53 |
//! | none | does not | legacy |
//! | none, and this resolver was not told its name | whatever it says | Port53 |
//!
//! Without a name nobody could cut it over, so it would forward for ever: a resolver that is not one of a set, such as
//! one that a person starts, answers what it has.

use port53_store::Forwarding;
use serde::{Deserialize, Serialize};

/// Who answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Answerer {
    /// This resolver, from what is published.
    Port53,
    /// The legacy DNS, to which this resolver forwards.
    Legacy,
}

/// Why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Because {
    /// The head names this nameserver in `cutOver`.
    CutOver,
    /// It does not.
    NotCutOver,
    /// This resolver was not told which nameserver it is of.
    NoName,
    /// The override says so.
    Override,
}

/// Who answers, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Who.
    pub answers: Answerer,
    /// Why.
    pub because: Because,
}

/// What `forwarding` and the override mean for the resolver of `nameserver`.
pub(super) fn decide(forwarding: &Forwarding, nameserver: Option<&str>, over: Option<Answerer>) -> Decision {
    let (answers, because) = match (over, nameserver) {
        (Some(answers), _) => (answers, Because::Override),
        (None, None) => (Answerer::Port53, Because::NoName),
        (None, Some(name)) if forwarding.cut_over.iter().any(|cut_over| cut_over == name) => {
            (Answerer::Port53, Because::CutOver)
        }
        (None, Some(_)) => (Answerer::Legacy, Because::NotCutOver),
    };
    Decision { answers, because }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let mut forwarding = Forwarding::to("192.0.2.53:53".parse().expect("an address"));
        forwarding.cut_over = vec!["ns1".to_owned()];
        let decided = |nameserver, over| decide(&forwarding, nameserver, over);
        for nameserver in [None, Some("ns1"), Some("ns2")] {
            for answers in [Answerer::Legacy, Answerer::Port53] {
                let because = Because::Override;
                assert_eq!(decided(nameserver, Some(answers)), Decision { answers, because });
            }
        }
        let answers = |nameserver| (decided(nameserver, None).answers, decided(nameserver, None).because);
        assert_eq!(answers(Some("ns1")), (Answerer::Port53, Because::CutOver));
        assert_eq!(answers(Some("ns2")), (Answerer::Legacy, Because::NotCutOver));
        assert_eq!(answers(None), (Answerer::Port53, Because::NoName));
    }
}
