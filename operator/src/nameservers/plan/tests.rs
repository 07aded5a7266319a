//! Rollouts as they go, step by step, over workloads that are changed as the steps say.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn wanted(attempt: &str) -> Wanted {
    Wanted {
        attempt: attempt.to_owned(),
        is_paused: false,
        deadline: MINUTE,
        on_failure: OnFailure::Rollback,
        may_be_unavailable: 0,
    }
}

/// Nameservers ns1, ns2, … of which each was seen so, and which are all to have the form that `wanted.attempt` says.
struct Seen {
    workloads: Vec<Option<Workload>>,
    pods: Vec<Vec<Pod>>,
    evidence: Vec<Evidence>,
    trials: Vec<Option<(Workload, Evidence)>>,
    has_trials: bool,
    others: Others,
}

impl Seen {
    /// So many nameservers, which run `form` and were found right with it.
    fn running(form: &str, count: usize) -> Self {
        let workload = Workload {
            form: form.to_owned(),
            revision: form.to_owned(),
            verified: Some(form.to_owned()),
            wanted: 2,
            ready: 2,
            changed: Some(at(0)),
            ..Workload::default()
        };
        Seen {
            workloads: vec![Some(workload); count],
            pods: vec![Vec::new(); count],
            evidence: vec![Evidence::None; count],
            trials: vec![None; count],
            has_trials: false,
            others: Others::Unknown,
        }
    }

    /// The same, where each change is tried first.
    fn with_trials(form: &str, count: usize) -> Self {
        Seen { has_trials: true, ..Seen::running(form, count) }
    }

    fn workload(&mut self, place: usize) -> &mut Workload {
        self.workloads[place].as_mut().expect("it is there")
    }

    fn next(&self, wanted: &Wanted) -> Step {
        self.next_at(wanted, 0)
    }

    fn next_at(&self, wanted: &Wanted, second: i64) -> Step {
        let names = ["ns1", "ns2", "ns3"];
        let form = wanted.attempt.split('/').next().unwrap_or_default();
        let members: Vec<Member<'_>> = (0..self.workloads.len())
            .map(|place| Member {
                name: names[place],
                form,
                serving: self.workloads[place].as_ref().map(|workload| Run {
                    workload,
                    pods: self.pods[place].iter().collect(),
                    evidence: self.evidence[place].clone(),
                }),
                trial: self.trials[place].as_ref().map(|(workload, evidence)| Run {
                    workload,
                    pods: Vec::new(),
                    evidence: evidence.clone(),
                }),
                has_trials: self.has_trials,
            })
            .collect();
        next(wanted, &members, &self.others, at(second))
    }

    /// Does what a step says, as the operator and Kubernetes would, at once.
    fn do_it(&mut self, wanted: &Wanted, step: &Step) {
        let form = wanted.attempt.split('/').next().unwrap_or_default().to_owned();
        match step {
            Step::Create(place) => {
                self.workloads[*place] =
                    Some(Workload { form, wanted: 2, ready: 2, changed: Some(at(0)), ..Workload::default() });
            }
            Step::AskOthers(_) => self.others = Others::Agree,
            Step::Try(place) => {
                let workload = Workload { form, wanted: 1, changed: Some(at(0)), ..Workload::default() };
                self.trials[*place] = Some((workload, Evidence::None));
            }
            Step::ProveTrial(place) => {
                if let Some((_, evidence)) = &mut self.trials[*place] {
                    *evidence = Evidence::Right;
                }
            }
            Step::EndTrial(place) => self.trials[*place] = None,
            Step::Change(place) => {
                self.others = Others::Unknown;
                self.evidence[*place] = Evidence::None;
                let workload = self.workload(*place);
                workload.form = form;
                workload.failed = None;
            }
            Step::Prove(place) => self.evidence[*place] = Evidence::Right,
            Step::Soak(place) => self.evidence[*place] = Evidence::Soaked,
            Step::Accept(place) => {
                let workload = self.workload(*place);
                workload.verified = Some(workload.form.clone());
            }
            Step::PutBack(place, _) => {
                let workload = self.workload(*place);
                workload.form = workload.verified.clone().expect("something to put it back to");
                workload.failed = Some(wanted.attempt.clone());
            }
            Step::Hold(place, _) => self.workload(*place).failed = Some(wanted.attempt.clone()),
            Step::Forget(place) => self.workload(*place).failed = None,
            Step::Wait(_) | Step::Paused | Step::Stalled | Step::Done => {}
        }
    }

    /// Goes on until nothing is left to do, and gives the steps.
    fn run(&mut self, wanted: &Wanted) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let step = self.next(wanted);
            let is_last = matches!(step, Step::Wait(_) | Step::Paused | Step::Stalled | Step::Done);
            steps.push(step.clone());
            assert!(steps.len() < 100, "it does not end: {steps:?}");
            if is_last {
                return steps;
            }
            self.do_it(wanted, &step);
            let unproven = self.workloads.iter().flatten();
            let unproven =
                unproven.filter(|workload| workload.verified.as_ref() != Some(&workload.form)).count();
            assert!(
                unproven <= 1 || self.workloads.iter().flatten().all(|w| w.verified.is_none()),
                "two at once: {steps:?}"
            );
        }
    }
}

fn failure(reason: Reason) -> Failure {
    Failure { reason, message: "why".to_owned() }
}

#[test]
fn a_change_goes_to_one_after_the_other() {
    let mut seen = Seen::running("a", 3);
    assert_eq!(seen.next(&wanted("a")), Step::Done);
    let one = |place| {
        [
            Step::AskOthers(place),
            Step::Change(place),
            Step::Prove(place),
            Step::Soak(place),
            Step::Accept(place),
        ]
    };
    let expected: Vec<Step> = one(0).into_iter().chain(one(1)).chain(one(2)).chain([Step::Done]).collect();
    assert_eq!(seen.run(&wanted("b")), expected);
}

#[test]
fn what_is_new_is_created_at_once_and_not_soaked() {
    let mut seen = Seen::running("a", 2);
    seen.workloads = vec![None, None];
    let expected = [
        Step::Create(0),
        Step::Create(1),
        Step::Prove(0),
        Step::Accept(0),
        Step::Prove(1),
        Step::Soak(1),
        Step::Accept(1),
        Step::Done,
    ];
    assert_eq!(seen.run(&wanted("a")), expected);
}

#[test]
fn one_that_does_not_pass_is_put_back_and_the_others_are_not_touched() {
    let mut seen = Seen::running("a", 3);
    let change = wanted("b");
    for step in [Step::AskOthers(0), Step::Change(0)] {
        assert_eq!(seen.next(&change), step);
        seen.do_it(&change, &step);
    }
    seen.evidence[0] = Evidence::Failed(failure(Reason::WrongAnswer));
    assert_eq!(seen.run(&change), [Step::PutBack(0, failure(Reason::WrongAnswer)), Step::Stalled]);
    let forms: Vec<&str> = seen.workloads.iter().flatten().map(|workload| workload.form.as_str()).collect();
    assert_eq!(forms, ["a", "a", "a"]);
    // While its pods come back that is waited for.
    seen.workload(0).missing = Some("1 of 2 pods are available".to_owned());
    assert_eq!(seen.next(&change), Step::Wait("ns1 is put back: 1 of 2 pods are available".to_owned()));
    seen.workload(0).missing = None;
    // The same again is tried when a person says so; another change as such.
    assert_eq!(seen.next(&wanted("b/again")), Step::Forget(0));
    assert_eq!(seen.next(&wanted("c")), Step::Forget(0));
    // Back to what runs: nothing is left but the mark.
    assert_eq!(seen.run(&wanted("a")), [Step::Forget(0), Step::Done]);
}

/// "The goal is 0 lost and 0 wrong everywhere": what does not pass was never asked by a client.
#[test]
fn a_change_is_tried_where_no_client_comes() {
    let mut seen = Seen::with_trials("a", 2);
    let steps = seen.run(&wanted("b"));
    let one = |place| {
        [
            Step::AskOthers(place),
            Step::Try(place),
            Step::ProveTrial(place),
            Step::Change(place),
            Step::EndTrial(place),
            Step::Prove(place),
            Step::Soak(place),
            Step::Accept(place),
        ]
    };
    let expected: Vec<Step> = one(0).into_iter().chain(one(1)).chain([Step::Done]).collect();
    assert_eq!(steps, expected);

    let mut seen = Seen::with_trials("a", 2);
    let change = wanted("b");
    for step in [Step::AskOthers(0), Step::Try(0)] {
        assert_eq!(seen.next(&change), step);
        seen.do_it(&change, &step);
    }
    let wrong = failure(Reason::WrongAnswer);
    seen.trials[0].as_mut().expect("a trial").1 = Evidence::Failed(wrong.clone());
    assert_eq!(seen.run(&change), [Step::Hold(0, wrong.clone()), Step::EndTrial(0), Step::Stalled]);
    assert!(seen.workloads.iter().flatten().all(|workload| workload.form == "a"), "nothing was changed");
    // The next change is tried as the first was.
    let steps = seen.run(&wanted("c"));
    assert_eq!(steps[..3], [Step::Forget(0), Step::Try(0), Step::ProveTrial(0)]);

    // For a person to look at it stays until something else is wanted.
    let mut seen = Seen::with_trials("a", 2);
    let pause = Wanted { on_failure: OnFailure::Pause, ..wanted("b") };
    for step in [Step::AskOthers(0), Step::Try(0)] {
        seen.do_it(&pause, &step);
    }
    seen.trials[0].as_mut().expect("a trial").1 = Evidence::Failed(wrong.clone());
    assert_eq!(seen.run(&pause), [Step::Hold(0, wrong), Step::Stalled]);
    assert!(seen.trials[0].is_some());
    assert_eq!(seen.next(&wanted("a")), Step::EndTrial(0));
}

/// What is on its way when something else is wanted is put back, or the new one is tried beside it.
#[test]
fn a_second_change_is_tried_too() {
    let mut seen = Seen::with_trials("a", 2);
    let first = wanted("b");
    for step in [Step::AskOthers(0), Step::Try(0), Step::ProveTrial(0), Step::Change(0), Step::EndTrial(0)] {
        seen.do_it(&first, &step);
    }
    assert_eq!(seen.next(&wanted("a")), Step::Change(0), "what was verified needs no trial");
    let second = wanted("c");
    assert_eq!(seen.next(&second), Step::Try(0));
    seen.do_it(&second, &Step::Try(0));
    let wrong = failure(Reason::WrongAnswer);
    seen.trials[0].as_mut().expect("a trial").1 = Evidence::Failed(wrong.clone());
    assert_eq!(seen.run(&second), [Step::PutBack(0, wrong), Step::EndTrial(0), Step::Stalled]);
    assert_eq!(seen.workload(0).form, "a");
}

#[test]
fn it_is_held_where_that_is_asked_for_or_nothing_was_before() {
    let mut seen = Seen::running("a", 2);
    let pause = Wanted { on_failure: OnFailure::Pause, ..wanted("b") };
    seen.workload(0).form = "b".to_owned();
    seen.evidence[0] = Evidence::Failed(failure(Reason::Slow));
    assert_eq!(seen.run(&pause), [Step::Hold(0, failure(Reason::Slow)), Step::Stalled]);
    // The next change goes to the one that was not proven, at once.
    assert_eq!(seen.next(&wanted("c")), Step::Change(0));

    let mut seen = Seen::running("a", 2);
    seen.workloads.iter_mut().flatten().for_each(|workload| workload.verified = None);
    seen.evidence[0] = Evidence::Failed(failure(Reason::NoAnswer));
    assert_eq!(seen.run(&wanted("a")), [Step::Hold(0, failure(Reason::NoAnswer)), Step::Stalled]);
}

/// "A second change during a rollout: the nameservers already done are not rolled twice for nothing, and never two at
/// once."
#[test]
fn a_second_change_takes_the_place_of_the_first() {
    let mut seen = Seen::running("a", 3);
    let first = wanted("b");
    for step in [Step::AskOthers(0), Step::Change(0), Step::Prove(0), Step::Soak(0), Step::Accept(0)] {
        seen.do_it(&first, &step);
    }
    for step in [Step::AskOthers(1), Step::Change(1)] {
        seen.do_it(&first, &step);
    }
    // ns1 is done with b, ns2 is on its way to it, ns3 has a.
    let steps = seen.run(&wanted("c"));
    assert_eq!(steps[..4], [Step::Change(1), Step::Prove(1), Step::Soak(1), Step::Accept(1)]);
    let changes: Vec<&Step> = steps.iter().filter(|step| matches!(step, Step::Change(_))).collect();
    assert_eq!(changes, [&Step::Change(1), &Step::Change(0), &Step::Change(2)]);

    // Back to a: ns3 still has it and is left alone.
    let mut seen = Seen::running("a", 3);
    for step in [Step::AskOthers(0), Step::Change(0)] {
        seen.do_it(&first, &step);
    }
    let steps = seen.run(&wanted("a"));
    assert!(steps.iter().all(|step| !matches!(step, Step::Change(1 | 2))), "{steps:?}");
}

#[test]
fn nothing_is_changed_while_others_are_away_or_disagree() {
    let mut seen = Seen::running("a", 3);
    seen.workload(2).missing = Some("1 of 2 pods are available".to_owned());
    let said = "ns1 is changed once the others are available; ns3: 1 of 2 pods are available";
    assert_eq!(seen.next(&wanted("b")), Step::Wait(said.to_owned()));
    // That one which is to be changed is not available keeps nobody from changing it.
    seen.workload(2).missing = None;
    seen.workload(0).missing = Some("0 of 2 pods are available".to_owned());
    assert_eq!(seen.next(&wanted("b")), Step::AskOthers(0));
    seen.others = Others::Disagree("ns2 answers serial 6 of example.com".to_owned());
    let said = "ns1 is changed once the others answer what is published; ns2 answers serial 6 of example.com";
    assert_eq!(seen.next(&wanted("b")), Step::Wait(said.to_owned()));
    let lenient = Wanted { may_be_unavailable: 1, ..wanted("b") };
    seen.workload(2).missing = Some("1 of 2 pods are available".to_owned());
    seen.others = Others::Agree;
    assert_eq!(seen.next(&lenient), Step::Change(0));
}

/// Found by a reader: two nameservers that were both killed for their memory waited for each other, and more memory never
/// reached either.
#[test]
fn what_is_down_waits_for_nobody() {
    let mut seen = Seen::with_trials("a", 3);
    for place in [1, 2] {
        let workload = seen.workload(place);
        workload.ready = 0;
        workload.missing = Some("0 of 2 pods are available".to_owned());
    }
    assert_eq!(seen.next(&wanted("b")), Step::Try(1));
    seen.do_it(&wanted("b"), &Step::Try(1));
    seen.do_it(&wanted("b"), &Step::ProveTrial(1));
    assert_eq!(seen.next(&wanted("b")), Step::Change(1));
    // One of which a pod answers waits for the others.
    seen.workload(1).ready = 1;
    seen.workload(2).ready = 1;
    assert!(matches!(seen.next(&wanted("b")), Step::Wait(_)));
}

#[test]
fn pods_that_do_not_come_are_failures() {
    let pod = |form: &str, trouble: Option<Trouble>| Pod {
        name: "ns1-x".to_owned(),
        form: form.to_owned(),
        trouble,
        ..Pod::default()
    };
    let mut seen = Seen::running("a", 2);
    seen.workload(0).form = "b".to_owned();
    seen.workload(0).missing = Some("1 of 2 pods are replaced".to_owned());
    // A pod of the form before is in trouble because it is replaced.
    seen.pods[0] = vec![pod("a", Some(Trouble::Crash("CrashLoopBackOff".to_owned()))), pod("b", None)];
    assert_eq!(seen.next(&wanted("b")), Step::Wait("ns1: 1 of 2 pods are replaced".to_owned()));
    for (trouble, reason) in [
        (Trouble::Image("ImagePullBackOff: no such image".to_owned()), Reason::ImageNotPulled),
        (Trouble::Crash("CrashLoopBackOff: it ended with 2 (Error)".to_owned()), Reason::CrashLoop),
    ] {
        seen.pods[0] = vec![pod("b", Some(trouble))];
        let Step::PutBack(0, found) = seen.next(&wanted("b")) else {
            panic!("{:?}", seen.next(&wanted("b")))
        };
        assert_eq!(found.reason, reason);
        assert!(found.message.starts_with("pod ns1-x: "), "{}", found.message);
    }
    seen.pods[0] = vec![pod("b", Some(Trouble::Unscheduled("0/3 nodes are available".to_owned())))];
    assert!(matches!(seen.next_at(&wanted("b"), 59), Step::Wait(_)));
    let Step::PutBack(0, found) = seen.next_at(&wanted("b"), 60) else { panic!("it is over") };
    assert_eq!(found.reason, Reason::DeadlineExceeded);
    assert_eq!(found.message, "1 of 2 pods are replaced after 60 s (pod ns1-x: 0/3 nodes are available)");
}

#[test]
fn a_pause_stops_it_where_it_is() {
    let mut seen = Seen::running("a", 2);
    let paused = Wanted { is_paused: true, ..wanted("b") };
    assert_eq!(seen.next(&paused), Step::Paused);
    seen.workload(0).form = "b".to_owned();
    assert_eq!(seen.next(&paused), Step::Paused);
    assert_eq!(seen.next(&wanted("b")), Step::Prove(0));
}

/// Killed after any step and started again, with what is only remembered gone, it comes to the same end.
#[test]
fn it_goes_on_where_it_was_after_any_step() {
    for killed_after in 0..24 {
        let mut seen = Seen::with_trials("a", 3);
        let change = wanted("b");
        for _ in 0..killed_after {
            let step = seen.next(&change);
            seen.do_it(&change, &step);
        }
        seen.evidence = vec![Evidence::None; 3];
        seen.trials.iter_mut().flatten().for_each(|(_, evidence)| *evidence = Evidence::None);
        seen.others = Others::Unknown;
        assert_eq!(seen.run(&change).last(), Some(&Step::Done));
        let done = |workload: &Workload| workload.form == "b" && workload.verified.as_deref() == Some("b");
        assert!(seen.workloads.iter().flatten().all(done), "killed after {killed_after}");
    }
}
