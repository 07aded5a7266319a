//! What the operator finds out about the delegation to a set, over real servers: a zone above with glue, the zone itself,
//! and unbound, which it asks first.

use port53_operator::nameservers::above::{Above, above};
use port53_operator::nameservers::delegation::{Asker, Told};
use port53_tests::Zone;
use port53_tests::ours::Ours;
use port53_tests::unbound::{Stub, Unbound};
use port53_zone::name;
use std::collections::BTreeSet;
use std::net::IpAddr;

const ABOVE: Zone<'_> = Zone {
    apex: "corp.",
    text: "$TTL 60\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 127.0.0.1\n\
           example NS ns1.example\nexample NS ns.elsewhere\nns1.example A 192.0.2.1\nns1.example AAAA 2001:db8::1\n\
           elsewhere NS ns.elsewhere\nns.elsewhere A 127.0.0.1\n",
};
const BELOW: Zone<'_> = Zone {
    apex: "example.corp.",
    text: "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 192.0.2.7\nwww A 192.0.2.8\n",
};

#[tokio::test(flavor = "multi_thread")]
async fn glue_is_what_the_zone_above_says() {
    let program = env!("CARGO_BIN_EXE_port53-tested");
    let (above, below) = (Ours::start(program, &[ABOVE]), Ours::start(program, &[BELOW]));
    let stub = |apex, server: &Ours| Stub { apex, server: server.address(), anchor: None };
    let unbound = Unbound::start(&[stub("corp.", &above), stub("example.corp.", &below)]);
    let asker = Asker { recursive: unbound.address(), port: above.address().port() };
    let ask = async |hostname: &str| asker.ask(&name::parse_absolute(hostname).expect("a name")).await;
    let addresses = |all: &[&str]| -> BTreeSet<IpAddr> {
        all.iter().map(|text| text.parse().expect("an address")).collect()
    };
    // The zone itself says otherwise.
    let told = ask("ns1.example.corp").await.expect("it can be asked");
    let glue = Some(("corp.".to_owned(), addresses(&["192.0.2.1", "2001:db8::1"])));
    assert_eq!(told, Told { glue, own: addresses(&["192.0.2.7"]) });
    // Nobody above says anything of it.
    let told = ask("www.example.corp").await.expect("it can be asked");
    assert_eq!(told, Told { glue: None, own: addresses(&["192.0.2.8"]) });
    assert_eq!(ask("no-such.example.corp").await, Ok(Told::default()));
    // The zone above has the zone below, too: it answers itself, and delegates nothing.
    let both = Ours::start(program, &[ABOVE, BELOW]);
    let unbound = Unbound::start(&[stub("corp.", &both), stub("example.corp.", &both)]);
    let asker = Asker { recursive: unbound.address(), port: both.address().port() };
    let told = asker.ask(&name::parse_absolute("ns1.example.corp").expect("a name")).await;
    assert_eq!(told, Ok(Told { glue: None, own: addresses(&["192.0.2.7"]) }));
    // Nobody of the zone above answers: then it is not known.
    let asker = Asker { recursive: unbound.address(), port: 1 };
    let told = asker.ask(&name::parse_absolute("ns1.example.corp").expect("a name")).await;
    assert!(told.expect_err("nobody listens there").contains("127.0.0.1:1"));
    // Nobody answers.
    let nobody = Asker { recursive: ([127, 0, 0, 1], 1).into(), port: 53 };
    let error = nobody.ask(&name::parse_absolute("ns1.example.corp").expect("a name")).await;
    assert!(error.expect_err("nobody").contains("127.0.0.1:1"));
}

/// RFC 4035 §3.1.4.1: DS is asked of the zone above. RFC 1034 §4.2.1: so is glue.
#[tokio::test(flavor = "multi_thread")]
async fn the_zone_above_says_whether_a_zone_is_signed_and_where_it_is() {
    const SIGNED: &str = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 127.0.0.1\n\
         example 7200 NS ns1.example\nns1.example 86400 A 192.0.2.1\n\
         example 300 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n\
         plain NS ns1.example\n";
    let program = env!("CARGO_BIN_EXE_port53-tested");
    let parent = Ours::start(program, &[Zone { apex: "corp.", text: SIGNED }]);
    let child = Ours::start(program, &[BELOW]);
    let stub = |apex, server: &Ours| Stub { apex, server: server.address(), anchor: None };
    let unbound = Unbound::start(&[stub("corp.", &parent), stub("example.corp.", &child)]);
    let name = |text: &str| name::parse_absolute(text).expect("a name");
    let asker = Asker { recursive: unbound.address(), port: parent.address().port() };
    let servers = asker.above(&name("example.corp")).await.expect("it is found");
    assert_eq!(servers, [parent.address()]);
    let said = above(&name("example.corp"), &servers).await.expect("it says so");
    let ds = "12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
    assert_eq!(
        said,
        Above {
            ds: [ds.to_owned()].into(),
            ds_ttl: 300,
            nameservers: [name("ns1.example.corp")].into(),
            // That of glue is longer than that of NS.
            ttl: 86_400,
        }
    );
    let said = above(&name("plain.corp"), &servers).await.expect("it says so");
    assert!(said.ds.is_empty() && said.nameservers.len() == 1, "{said:?}");
    assert_eq!(above(&name("nosuch.corp"), &servers).await, Ok(Above::default()));
    // The zone itself does not know, and neither does a cache.
    let error = above(&name("example.corp"), &[child.address()]).await.expect_err("it is not the parent");
    assert!(error.contains("not the zone above it"), "{error}");
    let error = above(&name("example.corp"), &[unbound.address()]).await.expect_err("it is a cache");
    assert!(error.contains("no authority") || error.contains("REFUSED"), "{error}");
    assert!(above(&name("example.corp"), &[([127, 0, 0, 1], 1).into()]).await.is_err());
}
