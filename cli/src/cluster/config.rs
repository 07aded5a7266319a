//! From flags and a kubeconfig to a cluster, and who asks it.

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use port53_client::chain;

use crate::args::ClusterArgs;

/// What the arguments name.
///
/// # Errors
/// In words, when there is no such thing or it cannot be read.
pub(super) async fn config(arguments: &ClusterArgs) -> Result<Config, String> {
    let mut config = found(arguments).await?;
    let ClusterArgs { as_user, as_group, as_uid, .. } = arguments;
    let who = &mut config.auth_info;
    if as_user.is_some() {
        // Groups and UID of another are not those of this one.
        (who.impersonate, who.impersonate_groups, who.impersonate_uid) = (as_user.clone(), None, None);
        who.impersonate_user_extra = None;
    }
    if !as_group.is_empty() {
        who.impersonate_groups = Some(as_group.clone());
    }
    if as_uid.is_some() {
        who.impersonate_uid.clone_from(as_uid);
    }
    if who.impersonate.is_none() && (who.impersonate_groups.is_some() || who.impersonate_uid.is_some()) {
        return Err(
            "--as-group and --as-uid say more of who is asked for: name the user with --as".to_owned()
        );
    }
    Ok(config)
}

async fn found(arguments: &ClusterArgs) -> Result<Config, String> {
    let ClusterArgs { context, kubeconfig: file, cluster, user, .. } = arguments;
    if file.is_none() && context.is_none() && cluster.is_none() && user.is_none() {
        let hint = "name one with --kubeconfig, or set KUBECONFIG";
        let found = Config::infer().await;
        return found.map_err(|error| format!("no cluster can be found: {}: {hint}", chain(&error)));
    }
    let (read, called) = match file {
        Some(file) => (Kubeconfig::read_from(file), format!("the kubeconfig {}", file.display())),
        None => (Kubeconfig::read(), "the kubeconfig".to_owned()),
    };
    let hint = "name one that can be read with --kubeconfig, or set KUBECONFIG";
    let kubeconfig = read.map_err(|error| format!("{called} cannot be read: {}: {hint}", chain(&error)))?;
    // The library takes a user that is not there for nobody.
    let users = kubeconfig.auth_infos.iter().map(|user| user.name.as_str()).collect::<Vec<_>>();
    let clusters = kubeconfig.clusters.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>();
    let contexts = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect::<Vec<_>>();
    for (kind, wanted, there) in
        [("context", context, contexts), ("cluster", cluster, clusters), ("user", user, users)]
    {
        is_there(kind, wanted.as_deref(), &there).map_err(|why| format!("{called} has {why}"))?;
    }
    let options =
        KubeConfigOptions { context: context.clone(), cluster: cluster.clone(), user: user.clone() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| format!("{called}: {}", chain(&error)))
}

fn is_there(kind: &str, wanted: Option<&str>, there: &[&str]) -> Result<(), String> {
    match wanted {
        Some(wanted) if !there.contains(&wanted) => {
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            Err(format!("no {kind} {wanted}: there is {there}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "\
{apiVersion: v1, kind: Config, current-context: here,
 contexts: [{name: here, context: {cluster: one, user: me, namespace: dns}},
            {name: there, context: {cluster: two, user: other}}],
 clusters: [{name: one, cluster: {server: \"https://192.0.2.1\"}},
            {name: two, cluster: {server: \"https://192.0.2.2\"}}],
 users: [{name: me, user: {as: boss, as-groups: [bosses]}}, {name: other, user: {}}]}";

    async fn of(change: impl FnOnce(&mut ClusterArgs)) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), KUBECONFIG).expect("written");
        let mut arguments =
            ClusterArgs { kubeconfig: Some(file.path().to_owned()), ..ClusterArgs::default() };
        change(&mut arguments);
        config(&arguments).await
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[tokio::test]
    async fn cluster_and_user_are_those_of_the_context_unless_they_are_named() {
        let config = of(|_| {}).await.expect("a cluster");
        assert_eq!((config.cluster_url.host(), &*config.default_namespace), (Some("192.0.2.1"), "dns"));
        assert_eq!(config.auth_info.impersonate, some("boss"));
        let config = of(|arguments| arguments.context = some("there")).await.expect("a cluster");
        assert_eq!((config.cluster_url.host(), &*config.default_namespace), (Some("192.0.2.2"), "default"));
        let named = |arguments: &mut ClusterArgs| {
            (arguments.cluster, arguments.user) = (some("two"), some("other"));
        };
        let config = of(named).await.expect("a cluster");
        assert_eq!((config.cluster_url.host(), &*config.default_namespace), (Some("192.0.2.2"), "dns"));
        assert_eq!(config.auth_info.impersonate, None);
    }

    #[tokio::test]
    async fn what_is_not_in_the_kubeconfig_is_told_with_what_is() {
        for (kind, words) in [
            ("context", "no context x: there is here, there"),
            ("cluster", "no cluster x: there is one, two"),
            ("user", "no user x: there is me, other"),
        ] {
            let wrong = |arguments: &mut ClusterArgs| match kind {
                "context" => arguments.context = some("x"),
                "cluster" => arguments.cluster = some("x"),
                _ => arguments.user = some("x"),
            };
            let why = of(wrong).await.expect_err(words);
            assert!(why.contains(words), "{why}");
        }
    }

    #[tokio::test]
    async fn who_is_asked_for_is_that_one_and_nobody_else() {
        let config = of(|arguments| arguments.as_user = some("a")).await.expect("a cluster");
        assert_eq!((config.auth_info.impersonate, config.auth_info.impersonate_groups), (some("a"), None));
        let grouped = |arguments: &mut ClusterArgs| {
            (arguments.as_user, arguments.as_uid) = (some("a"), some("7"));
            arguments.as_group = vec!["g".to_owned()];
        };
        let who = of(grouped).await.expect("a cluster").auth_info;
        assert_eq!((who.impersonate_groups, who.impersonate_uid), (Some(vec!["g".to_owned()]), some("7")));
        let nobody = |arguments: &mut ClusterArgs| {
            (arguments.user, arguments.as_group) = (some("other"), vec!["g".to_owned()]);
        };
        assert!(of(nobody).await.expect_err("nobody").contains("name the user with --as"));
    }
}
