"""What octoDNS serves of example.com.yaml, as served.zone has it: its names, TTLs and values, a line each.

    pip install octodns==1.22.0
    python served.py > served.zone
"""

from pathlib import Path

from octodns.provider.yaml import YamlProvider
from octodns.zone import Zone

zone = Zone("example.com.", [])
YamlProvider("files", Path(__file__).parent, enforce_order=False).populate(zone)
for record in sorted(zone.records):
    rrset = record.to_rrset()
    for rdata in rrset.rdatas:
        print(record.fqdn, record.ttl, "IN", record._type, rdata)
