//! What applying a directory would change of a zone: the operator's stages over what is in the cluster with the
//! objects of the directory in the place of those of the same name. What the directory does not have stays, as
//! with `apply`. A master file of the zone is compared as a whole.

use std::collections::BTreeSet;
use std::path::Path;

use port53_operator::objects::ObjectRef;
use port53_operator::verdict::Verdict;
use port53_zone::Name;

use super::{Zones, read};
use crate::args::ClusterArgs;
use crate::cluster::Cluster;
use crate::directory::Directory;
use crate::finding::Finding;
use crate::judge;
use crate::report::{self, Style};

/// What is published, and what it would be. What would be rejected is told; and whether something would.
pub(super) async fn sides(
    arguments: &ClusterArgs,
    zone: &str,
    path: &Path,
    style: Style,
) -> Result<(Zones, Zones, bool), String> {
    let cluster = Cluster::connect(arguments).await?;
    let found = cluster.find(zone).await?;
    let (head, version) = cluster.published(&found).await?;
    let directory =
        read(&[path.to_owned()], &cluster.namespace).map_err(|error| port53_client::chain(&*error))?;
    let apex = found.apex.clone();
    let before = Zones::from([(apex.clone(), (version.soa.clone(), version.content.clone()))]);

    let of_file = directory.objects().master_zones.iter().any(|master| master.apex == apex);
    if of_file {
        let (mut after, is_any_wrong) =
            super::zones(path, &cluster.namespace).map_err(|error| error.to_string())?;
        after.retain(|of, _| *of == apex);
        return Ok((before, after, is_any_wrong));
    }

    let (plan, is_all) = cluster.plan(&found, &head, version, directory.objects()).await?;
    if !is_all {
        eprintln!(
            "only the records of namespace {} can be seen: grant the right to list DNSRecords of all namespaces",
            head.holder.namespace
        );
    }
    let findings = findings(&directory, plan.verdicts(), &apex);
    eprint!("{}", report::findings_text(&findings, style));
    let is_any_wrong = findings.iter().any(Finding::is_error);
    let after = plan.zones.into_iter().filter(|zone| zone.apex == apex);
    let after = after.map(|zone| (zone.apex, (zone.soa, zone.applied.content))).collect();
    Ok((before, after, is_any_wrong))
}

/// What would be wrong with the objects of the directory that are about the zone.
fn findings<'v>(
    directory: &Directory,
    verdicts: impl IntoIterator<Item = &'v Verdict>,
    apex: &Name,
) -> Vec<Finding> {
    let written = directory.objects();
    let ours: BTreeSet<ObjectRef> = written
        .zones
        .iter()
        .map(|zone| ObjectRef::of_zone(zone))
        .chain(written.records.iter().map(|record| ObjectRef::of_record(record)))
        .collect();
    let about = verdicts.into_iter().filter(|verdict| verdict.zone.as_ref() == Some(apex));
    let mut findings: Vec<Finding> = directory.findings().cloned().collect();
    findings.extend(judge::findings(directory, about.filter(|verdict| ours.contains(&verdict.object))));
    findings.sort();
    findings
}
