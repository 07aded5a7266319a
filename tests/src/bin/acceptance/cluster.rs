//! Zones through the API server: all into one cluster, one after the other; and when all are there each is asked
//! for, so that zones above and below each other are seen together.

use crate::ask::{Form, Outcome, ask_all, text_of_key};
use crate::input;
use crate::objects::Objects;
use crate::{File, dev, program};
use port53_tests::platform::{Platform, Programs, Settings};
use std::collections::BTreeSet;
use std::error::Error;
use std::time::Instant;

const NAMESPACE: &str = "acceptance";

pub(crate) fn run(files: &[File]) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let port53 = program("port53-tested")?;
    let platform = Platform::start(
        Programs { operator: leaked("port53-operator-tested")?, resolver: leaked("port53-resolver-tested")? },
        Settings::default(),
    );
    platform.cluster.ensure_namespace(NAMESPACE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async { platform.cluster.client() });
    let objects = Objects::new(&client, NAMESPACE);

    let mut imported = Vec::new();
    for (i, file) in files.iter().enumerate() {
        eprintln!("{}/{}  {}: importing", i + 1, files.len(), file.origin);
        let start = Instant::now();
        let input = input::read(&file.path, &file.origin, file.scratch()?)?;
        let (directory, left_out) = dev::import(&port53, file)?;
        let applied = runtime.block_on(async {
            let applied = objects.apply(&directory).await?;
            objects.settle(&applied).await?;
            Ok::<_, Box<dyn Error>>(applied)
        })?;
        let mut outcome = Outcome::new(&input, Form::Cluster);
        outcome.failures.extend(applied.refused.iter().cloned());
        outcome.is_left_out(&input, left_out);
        outcome.seconds = start.elapsed().as_secs_f64();
        imported.push((input, applied, outcome));
    }
    for (i, (input, applied, outcome)) in imported.iter_mut().enumerate() {
        eprintln!("{}/{}  {}: asking", i + 1, files.len(), outcome.zone);
        let start = Instant::now();
        let said = runtime.block_on(objects.said(applied))?;
        let told: BTreeSet<_> = said.rejected.keys().cloned().collect();
        for (key, (reason, message)) in &said.rejected {
            *outcome.rejected.entry(reason.clone()).or_default() += 1;
            outcome.told.push(format!("{}: {message}", text_of_key(key)));
        }
        for resolver in &platform.resolvers {
            let absent = ask_all(input, resolver.address(), outcome)?;
            // Every absence was told, and nothing else was.
            for key in absent.difference(&told) {
                outcome.failures.push(format!("{} is absent, and not told to be rejected", text_of_key(key)));
            }
            for key in told.difference(&absent) {
                outcome.failures.push(format!("{} is told to be rejected, and not absent", text_of_key(key)));
            }
        }
        outcome.seconds += start.elapsed().as_secs_f64();
    }
    Ok(imported.into_iter().map(|(_, _, outcome)| outcome).collect())
}

/// A program by a name that lives as long as this process.
fn leaked(name: &str) -> Result<&'static str, Box<dyn Error>> {
    let program = program(name)?.into_os_string().into_string();
    Ok(String::leak(program.map_err(|_| "a path that is no UTF-8")?))
}
