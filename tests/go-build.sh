# Sourced by the scripts that build programs of Go modules for the tests. They set `me`, their name, first.
#
# A module is a directory with go.mod and go.sum and nothing else: which programs, in which versions. What was built is
# kept outside of the repository, complete or not at all, and one run builds while others wait for it.

say() {
    echo "$me: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# The version of module $2 in the go.mod of directory $1.
version() {
    awk -v name="$2" '$1 == name && $2 ~ /^v[0-9]/ { print $2 }' "$1/go.mod"
}

# The kind of machine that programs are built for, as a part of a file name.
machine() {
    uname -s -m | tr 'A-Z ' 'a-z-'
}

# Whether directory $1 has all the programs that follow.
holds() {
    holder=$1
    shift
    for program in "$@"; do
        [ -x "$holder/$program" ] || return 1
    done
}

# Ends with how to get Go, or $2 in its place, unless the Go that is here can build module $1.
check_go() {
    needed=$(awk '$1 == "go" { print $2 }' "$1/go.mod")
    how="install Go $needed or newer (https://go.dev/dl, or the package golang-go where it is new enough)$2"
    command -v go >/dev/null || fail "Go is not installed, and what the tests need is built with it: $how"
    found=$(cd / && go env GOVERSION)
    lowest=$(printf '%s\n' "$needed" "${found#go}" | sort -V | head -n 1)
    [ "$lowest" = "$needed" ] || fail "this is $found, which is too old: $how"
}

# Enters module $1: from then on Go takes the modules and versions of its go.sum and nothing else, and is the one that
# is here.
enter() {
    cd "$1"
    export CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' GOTOOLCHAIN=local GOWORK=off
}

# Builds program $2, package $3, with linker flags $4 into directory $1, and says how far it is.
build() {
    total=$(go list -deps "$3" | wc -l)
    say "building $2, of $total packages"
    {
        go build -v -trimpath -ldflags "$4" -o "$1/$2" "$3" 2>&1 || echo failed >"$1/failed"
    } | awk -v me="$me" -v program="$2" -v total="$total" '
        /^go: downloading / { next }
        /^[^ :]+$/ {
            built++
            if (built % 100 == 0)
                printf "%s: %s: %d packages built of %d at most\n", me, program, built, total
            fflush()
            next
        }
        { print }
    ' >&2
    [ ! -e "$1/failed" ] || fail "$2 was not built; Go says above why. Where it asks for modules, GOPROXY says of whom"
}

# Locks directory $1 until this process ends, for which it waits.
lock() {
    mkdir -p "$1"
    command -v flock >/dev/null || fail "flock is not installed: install util-linux"
    exec 9>"$1/lock"
    flock --nonblock 9 || { say "another run is at work; waiting for it"; flock 9; }
}

# Makes `new`, a directory in $1 that goes with this process unless `keep` was called.
prepare() {
    new=$(mktemp -d "$1/new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    chmod 755 "$new"
}

# Puts `new` at $1, in the place of what is incomplete there, and prints it.
keep() {
    rm -rf "$1"
    mv "$new" "$1"
    echo "$1"
}
