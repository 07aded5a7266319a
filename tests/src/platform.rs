//! A cluster with the operator and two resolvers at work, each with the rights that it needs and no others.
//!
//! ```text
//! kubectl ──▶ kube-apiserver ◀──▶ operator ──asks──▶ ns1, ns2 ◀── questions of the test
//! ```
//!
//! The operator looks at all Zones of a cluster, so it has a cluster of its own.

use crate::cluster::{Cluster, Settings as ClusterSettings, User};
use crate::process::{Finished, Process};
use crate::resolver::{self, Resolver, grant};
use crate::{PATIENCE, eventually};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Where the operator and what it publishes are.
pub const NAMESPACE: &str = "port53";

/// What the operator may do, beside reading what people write.
const RIGHTS: &str = include_str!("rights.yaml");

/// Where nobody is: addresses for documentation (RFC 5737) and benchmarks (RFC 2544).
const ELSEWHERE: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 53), Ipv4Addr::new(198, 18, 53, 1)];

/// The programs, as `env!("CARGO_BIN_EXE_…")` has them in tests.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `port53-operator-tested`.
    pub operator: PathBuf,
    /// `port53-resolver-tested`.
    pub resolver: PathBuf,
}

impl Programs {
    /// Those that are built beside the running program, for programs that are no tests.
    ///
    /// # Errors
    /// When one is not there, with how to build it.
    pub fn beside() -> Result<Self, String> {
        Ok(Programs {
            operator: beside("port53-operator-tested")?,
            resolver: beside("port53-resolver-tested")?,
        })
    }
}

/// A program that is built beside the running one.
///
/// # Errors
/// When it is not there, with how to build it.
pub fn beside(program: &str) -> Result<PathBuf, String> {
    let running = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let found = running.with_file_name(program);
    match found.is_file() {
        true => Ok(found),
        false => Err(format!(
            "{} is not built: run cargo build --package port53-tests --bins, with --release for a release build",
            found.display()
        )),
    }
}

/// How a platform is to be.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Further arguments of the operator.
    pub operator: Vec<String>,
    /// Further arguments of the resolvers.
    pub resolver: Vec<String>,
    /// Whether each resolver is told the name of its nameserver, `ns1` and `ns2`.
    pub names_resolvers: bool,
    /// Labels of the EndpointSlices by which the operator finds resolvers. They listen on [`address`] then, and it is
    /// told of none; without, it is told of the two.
    pub selector: Option<String>,
    /// How the control plane is to be.
    pub cluster: ClusterSettings,
}

/// See the module.
pub struct Platform {
    // Dropped first: who uses the cluster.
    operator: Option<Process>,
    /// Two resolvers, of the nameservers `ns1` and `ns2`.
    pub resolvers: Vec<Resolver>,
    /// The control plane.
    pub cluster: Cluster,
    programs: Programs,
    settings: Settings,
    dir: TempDir,
}

impl Platform {
    /// Starts a control plane, two resolvers and the operator.
    ///
    /// # Panics
    /// With what they printed, when one of them does not start.
    pub fn start(programs: Programs, settings: Settings) -> Self {
        let cluster = Cluster::start(settings.cluster.clone());
        cluster.apply_crds();
        cluster.ensure_namespace(NAMESPACE);
        let dir = TempDir::new().expect("a temporary directory");
        let mut platform =
            Platform { operator: None, resolvers: Vec::new(), cluster, programs, settings, dir };
        grant(&platform.cluster, NAMESPACE, &resolver_user());
        platform.grant_operator();
        platform.resolvers =
            (0..2).map(|number| Resolver::start(&platform.settings_of_resolver(number))).collect();
        platform.start_operator();
        platform
    }

    /// Forbids the operator `verb` on `what`, a resource or a part of one: the rule that grants it stands as `without`.
    ///
    /// # Panics
    /// When there is no such rule, or the API server goes on allowing it.
    #[track_caller]
    pub fn forbid_operator(&self, verb: &str, what: &str, rule: &str, without: &str) {
        assert!(RIGHTS.contains(rule), "{rule}");
        self.apply(&RIGHTS.replace(rule, without));
        self.operator_comes_to_be_told(verb, what, "no");
    }

    /// Gives the operator all its rights back, among them `verb` on `what`.
    ///
    /// # Panics
    /// When the API server goes on forbidding it.
    #[track_caller]
    pub fn allow_operator(&self, verb: &str, what: &str) {
        self.apply(RIGHTS);
        self.operator_comes_to_be_told(verb, what, "yes");
    }

    #[track_caller]
    fn operator_comes_to_be_told(&self, verb: &str, what: &str, expected: &str) {
        let (resource, part) = what.split_once('/').unwrap_or((what, ""));
        let resource = format!("{resource}.port53.dev");
        let part = format!("--subresource={part}");
        let who = operator_user().name;
        let arguments = ["auth", "can-i", verb, &resource, &part, "-n", NAMESPACE, "--as", &who];
        eventually(what, || match self.cluster.kubectl(&arguments) {
            said if said.stdout.trim() == expected => Ok(()),
            said => Err(format!("{said:?}")),
        });
    }

    /// Lets the operator do what it must.
    ///
    /// # Panics
    /// With what `kubectl` says when it cannot.
    pub fn grant_operator(&self) {
        grant_operator(&self.cluster);
    }

    /// How the resolvers are started.
    pub fn resolver_settings(&self) -> resolver::Settings {
        resolver::Settings {
            program: self.programs.resolver.clone(),
            kubeconfig: self.cluster.kubeconfig_of(&resolver_user()),
            namespace: NAMESPACE.to_owned(),
            listen: match self.settings.selector {
                Some(_) => address(),
                None => Ipv4Addr::LOCALHOST.into(),
            },
            more: self.settings.resolver.clone(),
        }
    }

    /// How one of the resolvers is started, counted from 0.
    fn settings_of_resolver(&self, number: usize) -> resolver::Settings {
        let mut settings = self.resolver_settings();
        if self.settings.names_resolvers {
            settings.more.push(format!("--nameserver=ns{}", number + 1));
        }
        settings
    }

    /// Starts the operator.
    pub fn start_operator(&mut self) {
        self.start_operator_with(&[]);
    }

    /// Starts the operator with further arguments, this once.
    pub fn start_operator_with(&mut self, more: &[&str]) {
        let mut command = self.operator_command();
        command.args(more);
        self.operator =
            Some(Process::start_tied("port53-operator", &command, self.dir.path(), self.dir.path()));
    }

    /// Waits until the operator has ended by itself, and says what it printed.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn operator_ends(&mut self) -> String {
        let mut operator = self.operator.take().expect("it runs");
        eventually("the operator ends", || match operator.has_ended() {
            true => Ok(()),
            false => Err(tail(&operator.output())),
        });
        operator.output()
    }

    fn operator_command(&self) -> Command {
        let mut command = Command::new(&self.programs.operator);
        command
            .args([
                "--namespace",
                NAMESPACE,
                "--log-format=json",
                "--log=debug,hyper=info,kube=info,tower=info",
            ])
            .args(["--nameserver=ns1.dns.example.net", "--nameserver=ns2.dns.example.net"])
            .args(self.which_resolvers())
            .args(&self.settings.operator)
            .env("KUBECONFIG", self.cluster.kubeconfig_of(&operator_user()));
        command
    }

    /// Ends the operator as Kubernetes does, and waits until it has.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end_operator(&mut self) {
        let mut operator = self.operator.take().expect("it runs");
        operator.terminate();
        eventually("the operator ends", || {
            if operator.has_ended() { Ok(()) } else { Err("running".to_owned()) }
        });
    }

    /// How the operator is told which resolvers there are.
    fn which_resolvers(&self) -> Vec<String> {
        match &self.settings.selector {
            Some(labels) => vec![format!("--resolver-selector={labels}")],
            None => (1..)
                .zip(&self.resolvers)
                .map(|(number, resolver)| {
                    format!("--resolver=ns{number}={}/{}", resolver.address(), resolver.health().port())
                })
                .collect(),
        }
    }

    /// Starts one more operator beside it, with the same arguments, as a process of its own.
    pub fn start_another_operator(&self, dir: &std::path::Path) -> Process {
        Process::start_tied("another port53-operator", &self.operator_command(), dir, dir)
    }

    /// Kills the operator, whatever it is doing.
    pub fn kill_operator(&mut self) {
        self.operator = None;
    }

    /// Stops the operator where it stands.
    pub fn pause_operator(&self) {
        self.operator.iter().for_each(Process::pause);
    }

    /// Lets it go on.
    pub fn resume_operator(&self) {
        self.operator.iter().for_each(Process::resume);
    }

    /// What the operator printed so far, as lines of JSON.
    pub fn operator_output(&self) -> String {
        self.operator.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Kills the resolver of a nameserver and starts another on the same cache. It has another address: the
    /// operator has to be started again to ask it.
    pub fn restart_resolver(&mut self, number: usize) {
        let settings = self.settings_of_resolver(number);
        self.resolvers[number].restart(&settings);
    }

    /// A namespace and a domain that no other test has.
    pub fn place(&self, name: &str) -> (String, String) {
        let namespace = self.cluster.create_namespace(name);
        let domain = format!("{namespace}.example");
        (namespace, domain)
    }

    /// Applies manifests. Says what `kubectl` says.
    pub fn try_apply(&self, manifests: &str) -> Finished {
        self.cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], manifests)
    }

    /// Applies manifests.
    ///
    /// # Panics
    /// With what `kubectl` says when it refuses.
    #[track_caller]
    pub fn apply(&self, manifests: &str) {
        let done = self.try_apply(manifests);
        assert!(done.success, "{}", done.stderr);
    }

    /// Runs `kubectl` with these arguments, separated by spaces.
    ///
    /// # Panics
    /// With what it says when it fails.
    #[track_caller]
    pub fn kubectl(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let done = self.cluster.kubectl(&arguments);
        assert!(done.success, "kubectl {arguments:?}: {}", done.stderr);
        done.stdout
    }

    /// An object as `kubectl get KIND NAME -n NAMESPACE -o json` shows it; nothing when it is not there.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let done = self.cluster.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]);
        done.success.then(|| serde_json::from_str(&done.stdout).expect("JSON"))
    }

    /// The head of a zone.
    pub fn head(&self, domain: &str) -> Option<Value> {
        self.get("zonehead", NAMESPACE, domain)
    }

    /// Waits until the condition of an object is as expected for its newest generation, such as `Ready=True Served`,
    /// and returns its message.
    ///
    /// # Panics
    /// With what it is, and what the operator printed last, when it does not come so.
    #[track_caller]
    pub fn comes_to(&self, kind: &str, namespace: &str, name: &str, expected: &str) -> String {
        let (type_, state) = expected.split_once('=').expect("TYPE=STATUS REASON");
        let mut until = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            let object = self.get(kind, namespace, name);
            let (said, message) = match &object {
                None => ("no such object".to_owned(), String::new()),
                Some(object) => condition(object, type_),
            };
            if said == state {
                return message;
            }
            if said != last {
                // Something moves.
                until = Instant::now() + PATIENCE;
                last = said.clone();
            }
            assert!(
                Instant::now() < until,
                "{kind} {namespace}/{name}: {type_}={said} ({message}), not {state}; the operator printed:\n{}",
                tail(&self.operator_output())
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until both resolvers say `expected` to a question.
    ///
    /// # Panics
    /// With what they printed when they do not.
    #[track_caller]
    pub fn come_to_say(&self, question: &str, expected: &str) {
        for resolver in &self.resolvers {
            eventually(question, || match resolver.says(question) {
                said if said == expected => Ok(()),
                said => {
                    let operator = tail(&self.operator_output());
                    Err(format!("{said}, not {expected}; the operator printed:\n{operator}"))
                }
            });
        }
    }

    /// Asserts that both resolvers say `expected` to a question now.
    ///
    /// # Panics
    /// When they say something else.
    #[track_caller]
    pub fn say(&self, question: &str, expected: &str) {
        for resolver in &self.resolvers {
            assert_eq!(resolver.says(question), expected, "{question}");
        }
    }
}

/// Lets [`operator_user`] do in a cluster what the operator must.
///
/// # Panics
/// With what `kubectl` says when it cannot.
pub fn grant_operator(cluster: &Cluster) {
    let rights = cluster.kubectl_with(&["apply", "--server-side", "-f", "-"], RIGHTS);
    assert!(rights.success, "{rights:?}");
}

/// Who the operator is.
pub fn operator_user() -> User {
    User::service_account(NAMESPACE, "operator")
}

/// The status and reason of a condition for the newest generation, and its message.
pub fn condition(object: &Value, type_: &str) -> (String, String) {
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    let Some(found) = found.filter(|found| found["observedGeneration"] == *generation) else {
        return ("not looked at".to_owned(), String::new());
    };
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (format!("{} {}", text("status"), text("reason")), text("message"))
}

/// An address of this host that is not loopback: the API server takes no other in an EndpointSlice.
///
/// # Panics
/// With the way to get one where there is none.
pub fn address() -> IpAddr {
    // Nothing is sent: the kernel says by which address it would go there. One that was added for this is the way to
    // itself, also where there is no way out.
    let by = |there: Ipv4Addr| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((there, 53))?;
        Ok::<_, std::io::Error>(socket.local_addr()?.ip())
    };
    let found = ELSEWHERE.iter().find_map(|&there| by(there).ok().filter(|here| !here.is_loopback()));
    found.unwrap_or_else(|| {
        let [_, added] = ELSEWHERE;
        panic!("this host has no address but those of loopback: run ip address add {added}/32 dev lo as root")
    })
}

fn resolver_user() -> User {
    User::service_account(NAMESPACE, "resolver")
}

/// The last lines.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
