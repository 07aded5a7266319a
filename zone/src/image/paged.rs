//! A persistent vector: pages of elements behind `Arc`s, so that a version with one element changed copies
//! one page and shares the rest.

use std::sync::Arc;

/// A change copies the pointers to all pages and the elements of one: least for a few ten thousand elements when both
/// are about as many.
const PAGE: usize = 128;

/// See the module.
#[derive(Clone)]
pub(crate) struct Paged<T> {
    pages: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T: Clone> Paged<T> {
    pub(crate) fn new() -> Self {
        Paged { pages: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    pub(crate) fn set(&mut self, at: usize, element: T) {
        Arc::make_mut(&mut self.pages[at / PAGE])[at % PAGE] = element;
    }

    pub(crate) fn push(&mut self, element: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Arc::new(Vec::with_capacity(PAGE)));
        }
        let last = self.pages.len() - 1;
        Arc::make_mut(&mut self.pages[last]).push(element);
        self.len += 1;
    }
}

impl<T> std::ops::Index<usize> for Paged<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.pages[at / PAGE][at % PAGE]
    }
}

impl<T: Clone> FromIterator<T> for Paged<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut paged = Paged::new();
        elements.into_iter().for_each(|element| paged.push(element));
        paged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stays_as_it_was() {
        let mut numbers = Paged::new();
        (0..1000).for_each(|n| numbers.push(n));
        let before = numbers.clone();
        numbers.set(700, 0);
        numbers.push(1000);
        assert_eq!((before.get(700), before.len()), (Some(&700), 1000));
        assert_eq!((numbers.get(700), numbers.get(1000), numbers.get(1001)), (Some(&0), Some(&1000), None));
        assert!(before.iter().copied().eq(0..1000));
        assert_eq!((before[700], numbers[700]), (700, 0));
    }
}
