//! What is written into a cluster so that a zone moves here from a legacy server, and `port53 migration` as people run it.

use crate::legacy::Holder;
use crate::platform::{NAMESPACE, Platform};
use crate::process::Finished;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The Secret with the key of who moves, and that the operator of [`Platform`] may read it.
pub fn key(namespace: &str) -> String {
    key_for(namespace, "system:serviceaccount:port53:operator")
}

/// The same, where the operator is this user.
pub fn key_for(namespace: &str, operator: &str) -> String {
    let (name, secret) = (Holder::Mover.name(), Holder::Mover.secret());
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: legacy, namespace: {namespace}}}\n\
         stringData: {{secret: {secret}, name: {name}}}\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: legacy, namespace: {namespace}}}\n\
         rules: [{{apiGroups: [''], resources: [secrets], resourceNames: [legacy], verbs: [list, watch]}}]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: legacy, namespace: {namespace}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: legacy}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: '{operator}'}}]\n"
    )
}

/// A Zone, with this in its spec.
pub fn zone(namespace: &str, name: &str, spec: &str) -> String {
    object("Zone", namespace, name, spec)
}

/// A DNSRecord of a Zone, with this in its spec: `name: www, type: A, values: ['192.0.2.1']`.
pub fn record(namespace: &str, zone: &str, object_name: &str, spec: &str) -> String {
    object("DNSRecord", namespace, object_name, &format!("zoneRef: {{name: {zone}}}, {spec}"))
}

/// The ZoneMigration of the Zone of the same name from `legacy`, by [`key`], with more in its spec.
pub fn migration(namespace: &str, name: &str, legacy: SocketAddr, more: &str) -> String {
    let spec = format!(
        "zoneRef: {{name: {name}}}, legacy: {{addresses: ['{legacy}'], tsigSecretRef: {{name: legacy}}}}, {more}"
    );
    object("ZoneMigration", namespace, name, &spec)
}

fn object(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: port53.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )
}

/// Runs `port53` with these arguments, separated by spaces, in a namespace. Gives its exit status too.
///
/// # Panics
/// When it cannot be run.
pub fn port53(
    program: &Path,
    platform: &Platform,
    namespace: &str,
    arguments: &str,
) -> (Option<i32>, Finished) {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).args(["--namespace", namespace]);
    command.args(["--operator-namespace", NAMESPACE]);
    command.env("KUBECONFIG", platform.cluster.kubeconfig());
    let output =
        command.output().unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    (output.status.code(), output.into())
}
