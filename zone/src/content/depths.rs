//! Counts by depth: how many labels below the apex delegations and DNAMEs stand.

use super::leaf::OwnerRef;
use crate::rrset::count_labels;
use domain::base::iana::Rtype;
use std::sync::Arc;

/// How many owners of a kind there are at each depth below the apex. As long as it must be, because most
/// zones have one depth or none, and there may be ten thousand zones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Depths(Arc<[u32]>);

impl Depths {
    /// Whether there is one with `depth` labels below the apex.
    pub fn any_at(&self, depth: usize) -> bool {
        self.at(depth) > 0
    }

    /// How many there are with `depth` labels below the apex.
    pub fn at(&self, depth: usize) -> u32 {
        self.0.get(depth).copied().unwrap_or(0)
    }

    /// The greatest depth at which there is one.
    pub fn deepest(&self) -> Option<usize> {
        self.0.len().checked_sub(1)
    }

    pub(crate) fn count(&mut self, depth: usize, is_there: bool) {
        let before = self.at(depth);
        let count = if is_there { before + 1 } else { before.saturating_sub(1) };
        if let Some(counts) = Arc::get_mut(&mut self.0)
            && depth + 1 < counts.len()
        {
            counts[depth] = count;
            return;
        }
        let mut counts = self.0.to_vec();
        counts.resize(counts.len().max(depth + 1), 0);
        counts[depth] = count;
        let length = counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        self.0 = counts[..length].into();
    }
}

/// What is counted of a zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    /// NS off the apex.
    pub(crate) cuts: Depths,
    pub(crate) dnames: Depths,
    /// Asterisks above an owner: wildcards that may be empty non-terminals.
    pub(crate) asterisks: Depths,
}

impl Counts {
    /// Counts an owner that came, or that went.
    pub(crate) fn owner(&mut self, owner: &OwnerRef<'_>, is_there: bool) {
        let depth = count_labels(owner.name());
        for rrset in owner.rrsets() {
            match rrset.rtype {
                Rtype::NS if depth > 0 => self.cuts.count(depth, is_there),
                Rtype::DNAME => self.dnames.count(depth, is_there),
                _ => {}
            }
        }
        let (mut labels, mut depth) = (owner.name(), depth);
        while let Some((&length, rest)) = labels.split_first() {
            labels = rest.get(usize::from(length)..).unwrap_or_default();
            depth = depth.saturating_sub(1);
            if labels.starts_with(b"\x01*") {
                self.asterisks.count(depth, is_there);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_as_long_as_they_must_be() {
        let mut depths = Depths::default();
        for depth in [3, 1, 3, 127] {
            depths.count(depth, true);
        }
        assert_eq!((depths.at(3), depths.at(1), depths.at(2), depths.deepest()), (2, 1, 0, Some(127)));
        let before = depths.clone();
        depths.count(127, false);
        assert!(!depths.any_at(127) && before.any_at(127));
        assert_eq!(depths.deepest(), Some(3));
        for depth in [3, 3, 1] {
            depths.count(depth, false);
        }
        assert_eq!(depths, Depths::default());
    }
}
