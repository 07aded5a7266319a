//! Annotations and the finalizer: what people say beside a spec, so that tools which own the spec leave it alone.

/// On a Zone: the serial of the ZoneRevision that the zone is rolled back to. While it is there the zone is
/// pinned, and changes of records wait. Taken away, they go out.
pub const ROLLBACK_ANNOTATION: &str = "port53.dev/rollback";

/// On a Zone: the id of removals that the guard holds, to let exactly these go. The operator takes it away once
/// they went.
pub const RELEASE_ANNOTATION: &str = "port53.dev/release";

/// On a Zone that is being deleted: `true` lets the object go at once and leaves the zone in service as it is,
/// to be taken up by a Zone of the same namespace and name.
pub const KEEP_ANNOTATION: &str = "port53.dev/keep-serving";

/// On a Zone: it is there until the zone was withdrawn.
pub const FINALIZER: &str = "port53.dev/withdrawal";

/// On a NameserverSet: `true` stops the rollout where it is, until it is taken away.
pub const PAUSE_ANNOTATION: &str = "port53.dev/pause-rollout";

/// On a NameserverSet: whatever it says, another than before has a revision tried again that did not pass.
pub const RETRY_ANNOTATION: &str = "port53.dev/retry-rollout";

/// On a NameserverSet: the name of the kept revision that is to run, whatever the spec says.
pub const PIN_ANNOTATION: &str = "port53.dev/revision-pin";

/// On a ZoneMigration: whatever it says, another than before has both sides compared at once; the status repeats it
/// when that is done.
pub const COMPARE_ANNOTATION: &str = "port53.dev/compare";

/// On a ZoneMigration: the serial of a version of legacy that looks wrong and is to be believed nevertheless.
pub const ACCEPT_ANNOTATION: &str = "port53.dev/accept-legacy";

/// On a ZoneMigration: how differences are to be settled, `legacy` or `port53`, and of which name and type:
/// `legacy www.example.com. A`; all of them when only the side is named. The operator takes it away once they are.
pub const PREFER_ANNOTATION: &str = "port53.dev/prefer";

/// On a ZoneMigration: `true` says that nobody asks legacy any more, which only its own log can tell. To finish a migration
/// with new nameservers waits for it.
pub const QUIET_ANNOTATION: &str = "port53.dev/legacy-is-quiet";

/// On a ZoneMigration: what `status.fallback.since` says, to end that automatic fallback and no other.
pub const END_FALLBACK_ANNOTATION: &str = "port53.dev/end-fallback";
