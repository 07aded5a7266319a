//! Which cluster, as whom, and where in it: flags that stand before a subcommand as well as after it, as with
//! `kubectl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Names the namespace of the operator where no flag does.
const OPERATOR_NAMESPACE: &str = "PORT53_OPERATOR_NAMESPACE";
/// Where the operator is unless a person says otherwise.
const DEFAULT_OPERATOR_NAMESPACE: &str = "port53";

/// See the module. An empty one counts as left out, as with `kubectl`.
#[derive(Args, Clone, Debug, Default, Eq, PartialEq)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// The context of the kubeconfig. The current one when left out.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig file. What KUBECONFIG names, or ~/.kube/config, when left out.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of what names none. That of the context when left out.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The namespace of the operator, in which zones are published. PORT53_OPERATOR_NAMESPACE, else port53, when
    /// left out.
    #[arg(short = 'N', long, value_name = "NAME")]
    pub operator_namespace: Option<String>,
    /// The cluster of the kubeconfig. That of the context when left out.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The user of the kubeconfig. That of the context when left out.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Ask as this user, or system:serviceaccount:NAMESPACE:NAME. You need the right to impersonate it.
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Ask as a member of this group, with --as; repeat it for more.
    #[arg(long, value_name = "GROUP")]
    pub as_group: Vec<String>,
    /// Ask as who has this UID, with --as.
    #[arg(long, value_name = "UID")]
    pub as_uid: Option<String>,
    /// How long one request may take, such as 5s or 1m; 0 for as long as it takes. 30s when left out.
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    pub request_timeout: Option<Duration>,
}

impl ClusterArgs {
    /// These, and where they say nothing what `before` says.
    pub(super) fn or(self, before: Self) -> Self {
        ClusterArgs {
            context: said(self.context).or(said(before.context)),
            kubeconfig: self.kubeconfig.or(before.kubeconfig),
            namespace: said(self.namespace).or(said(before.namespace)),
            operator_namespace: said(self.operator_namespace).or(said(before.operator_namespace)),
            cluster: said(self.cluster).or(said(before.cluster)),
            user: said(self.user).or(said(before.user)),
            as_user: said(self.as_user).or(said(before.as_user)),
            as_group: before.as_group.into_iter().chain(self.as_group).collect(),
            as_uid: said(self.as_uid).or(said(before.as_uid)),
            request_timeout: self.request_timeout.or(before.request_timeout),
        }
    }

    /// Where zones are published.
    pub fn operator_namespace(&self) -> String {
        let of_environment = || said(std::env::var(OPERATOR_NAMESPACE).ok());
        let given = self.operator_namespace.clone().or_else(of_environment);
        given.unwrap_or_else(|| DEFAULT_OPERATOR_NAMESPACE.to_owned())
    }

    /// Nothing but the namespace has a use for `what`, which looks at no cluster.
    ///
    /// # Errors
    /// With what else was given.
    pub(crate) fn is_of_files(&self, what: &str) -> Result<(), String> {
        let beside = ClusterArgs { namespace: None, ..self.clone() };
        match &beside.given()[..] {
            [] => Ok(()),
            given => Err(without_use(what, given)),
        }
    }

    /// The flags that were given.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let ClusterArgs {
            context,
            kubeconfig,
            namespace,
            operator_namespace,
            cluster,
            user,
            as_user,
            as_group,
            as_uid,
            request_timeout,
        } = self;
        let flags = [
            ("--context", context.is_some()),
            ("--kubeconfig", kubeconfig.is_some()),
            ("--namespace", namespace.is_some()),
            ("--operator-namespace", operator_namespace.is_some()),
            ("--cluster", cluster.is_some()),
            ("--user", user.is_some()),
            ("--as", as_user.is_some()),
            ("--as-group", !as_group.is_empty()),
            ("--as-uid", as_uid.is_some()),
            ("--request-timeout", request_timeout.is_some()),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
    }
}

/// That some flags are for a cluster, and none is looked at.
pub(super) fn without_use(what: &str, flags: &[&str]) -> String {
    format!("{what} looks at no cluster: leave out {}", flags.join(", "))
}

fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// As `kubectl` reads it: a number without a unit is one of seconds.
fn parse_timeout(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => super::parse_time(text),
    }
}
