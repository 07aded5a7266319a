//! Differing answers that pods told of: one for each question, nameserver and kind of difference, the newest. Pure.

use std::collections::BTreeMap;

use port53_crds::AnswerDifference;

/// Samples of a zone: some hundred kilobytes at most.
const MOST: usize = 100;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Samples(BTreeMap<(String, String, Vec<String>), AnswerDifference>);

impl Samples {
    /// Takes note of what a pod told.
    pub fn note(&mut self, told: impl IntoIterator<Item = AnswerDifference>) {
        for sample in told {
            let of = (sample.nameserver.clone(), sample.question.clone(), sample.differences.clone());
            match self.0.get(&of) {
                Some(known) if known.at >= sample.at => {}
                _ => drop(self.0.insert(of, sample)),
            }
        }
        while self.0.len() > MOST {
            let oldest =
                self.0.iter().min_by(|one, other| one.1.at.cmp(&other.1.at)).map(|(of, _)| of.clone());
            let Some(oldest) = oldest else { return };
            self.0.remove(&oldest);
        }
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> Vec<AnswerDifference> {
        let mut all: Vec<AnswerDifference> = self.0.values().cloned().collect();
        all.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.cmp(other)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, question: &str) -> AnswerDifference {
        AnswerDifference {
            at: format!("2026-11-30T18:{:02}:{:02}Z", second / 60, second % 60),
            nameserver: "ns1".to_owned(),
            question: question.to_owned(),
            differences: vec!["answer".to_owned()],
            legacy: String::new(),
            port53: String::new(),
        }
    }

    #[test]
    fn each_question_is_there_once_and_the_newest_come_first() {
        let mut samples = Samples::default();
        samples.note([sample(5, "a"), sample(9, "b"), sample(7, "a"), sample(6, "a")]);
        let told = samples.newest_first().into_iter().map(|sample| (sample.question, sample.at));
        let expected = [sample(9, "b"), sample(7, "a")].map(|sample| (sample.question, sample.at));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        samples.note((0..300).map(|number| sample(600 + number, &number.to_string())));
        let all = samples.newest_first();
        assert_eq!((all.len(), all[0].question.as_str()), (MOST, "299"));
    }
}
