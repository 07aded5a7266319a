//! What `make migrate-demo` shows, smaller: zones move, with a way back at every step, and no client is answered wrongly or
//! not at all.

use port53_tests::demo::{Settings, Told, run, steps};
use port53_tests::peer::Program;
use port53_tests::platform::Programs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One after the other, and in a program of its own: clients that never ask twice are to lose nothing by what else is tested.
static ALONE: Mutex<()> = Mutex::new(());

/// "Under steady queries from a client that never retries and a stream of changes on both sides …: 0 lost, 0 wrong (an
/// answer is right if it is in either side's history within a stated bound of time)."
fn moves(legacy: Program) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = Settings {
        legacy,
        programs: Programs {
            operator: env!("CARGO_BIN_EXE_port53-operator-tested").into(),
            resolver: env!("CARGO_BIN_EXE_port53-resolver-tested").into(),
        },
        port53: env!("CARGO_BIN_EXE_port53-tested").into(),
        zones: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/moving"),
        questions: 100,
        changes: 1.0,
        least: 100,
    };
    let outcome = run(settings, &mut |told| {
        if let Told::Row(row) = told {
            println!("{row}");
        }
    });
    assert!(outcome.is_right(), "{:#?}\n{:#?}", outcome.told, outcome.rows);
    assert_eq!(outcome.rows.len(), steps::ALL.len());
    // Nothing is right where nothing was asked.
    assert!(outcome.rows.iter().all(|row| row.sent >= 100), "{:#?}", outcome.rows);
    let found = outcome.rows.iter().find(|row| row.step == "legacy differs").expect("the step");
    assert!(found.differences >= Some(1), "{found:?}");
}

#[test]
fn zones_move_from_bind_and_nobody_notices() {
    moves(Program::Bind);
}

#[test]
fn zones_move_from_knot_and_nobody_notices() {
    moves(Program::Knot);
}

#[test]
fn zones_move_from_powerdns_and_nobody_notices() {
    moves(Program::PowerDns);
}
