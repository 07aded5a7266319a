//! The root as a zone (RFC 1034 §4.2): its delegations cover each other's nameservers.

use super::table::{Case, Group};

pub(crate) const GROUP: Group = Group {
    zones: &[(
        ".",
        "@ 518400 NS a.root-servers.net.
         @ 518400 NS b.root-servers.net.
         @ 172800 DNSKEY 257 3 8 AwEAAQ==
         @ 86400 NSEC com. NS SOA RRSIG NSEC DNSKEY
         a.root-servers.net. 518400 A 198.41.0.4
         a.root-servers.net. 518400 AAAA 2001:503:ba3e::2:30
         com. 172800 NS a.gtld-servers.net.
         com. 86400 DS 30909 8 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766
         com. 86400 NSEC net. NS DS RRSIG NSEC
         net. 172800 NS a.gtld-servers.net.
         a.gtld-servers.net. 172800 A 192.5.6.30
         org. 172800 NS a0.nic.org.
         a0.nic.org. 172800 A 199.19.56.1
         far. 172800 NS ns.far.elsewhere.
         elsewhere. 172800 NS ns.far.elsewhere.
         ns.far.elsewhere. 172800 A 192.0.2.1",
    )],
    cases: &[
        Case::new(
            "RFC 1034 §4.3.2 step 3a",
            ". NS",
            "NOERROR aa
             answer . 518400 NS a.root-servers.net.
             answer . 518400 NS b.root-servers.net.",
        ),
        Case::new(
            "RFC 2308 §3",
            ". SOA",
            "NOERROR aa\nanswer . 3600 SOA ns.invalid. hostmaster.invalid. 7 3600 600 604800 300",
        ),
        Case::new("RFC 4034 §2", ". DNSKEY", "NOERROR aa\nanswer . 172800 DNSKEY 257 3 8 AwEAAQ=="),
        Case::new("RFC 4034 §4", ". NSEC", "NOERROR aa\nanswer . 86400 NSEC com. NS SOA RRSIG NSEC DNSKEY"),
        Case::new("RFC 2308 §2.2", ". A", "NOERROR aa\nnegative ."),
        Case::new("RFC 4035 §3.1.4.1: the root has no parent", ". DS", "NOERROR aa\nnegative ."),
        Case::new(
            "RFC 1034 §4.3.2 step 3b, RFC 9471 §2.2: glue that lies below another cut",
            "www.example.com. A",
            "NOERROR
             authority com. 172800 NS a.gtld-servers.net.
             glue a.gtld-servers.net. 172800 A 192.5.6.30",
        ),
        Case::new(
            "RFC 1034 §4.2.1: the addresses of the root's own nameservers are glue",
            "a.root-servers.net. A",
            "NOERROR
             authority net. 172800 NS a.gtld-servers.net.
             glue a.gtld-servers.net. 172800 A 192.5.6.30",
        ),
        Case::new(
            "RFC 9471 §2.1",
            "org. NS",
            "NOERROR
             authority org. 172800 NS a0.nic.org.
             glue a0.nic.org. 172800 A 199.19.56.1",
        ),
        Case::new(
            "RFC 9471 §2.2: a nameserver below another delegation",
            "far. NS",
            "NOERROR
             authority far. 172800 NS ns.far.elsewhere.
             glue ns.far.elsewhere. 172800 A 192.0.2.1",
        ),
        Case::new(
            "RFC 4035 §3.1.4.1",
            "COM. DS",
            "NOERROR aa
             answer com. 86400 DS 30909 8 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766",
        ),
        Case::new("RFC 4035 §3.1.4.1", "org. DS", "NOERROR aa\nnegative ."),
        Case::new("RFC 2308 §2.1", "nothing. A", "NXDOMAIN aa\nnegative ."),
        Case::new("RFC 8020 §2", "a.b.c.nothing. AAAA", "NXDOMAIN aa\nnegative ."),
        Case::new("RFC 4592 §3.3.1", "*. A", "NXDOMAIN aa\nnegative ."),
    ],
};
