//! A scanner for the `domain` crate over tokens: its own, and the value of SVCB parameters, which its
//! scanner over iterators leaves out.

use bytes::{Bytes, BytesMut};
use domain::base::charstr::CharStr;
use domain::base::name::Name;
use domain::base::scan::{ConvertSymbols, EntrySymbol, IterScanner, Scanner, StrError, Symbol};
use octseq::str::Str;

type Inner<'t> = IterScanner<std::slice::Iter<'t, String>, Bytes>;

/// See the module.
pub(crate) struct TokenScanner<'t>(Inner<'t>);

impl<'t> TokenScanner<'t> {
    pub(crate) fn new(texts: &'t [String]) -> Self {
        TokenScanner(IterScanner::new(texts))
    }

    pub(crate) fn is_exhausted(&mut self) -> bool {
        self.0.is_exhausted()
    }
}

impl Scanner for TokenScanner<'_> {
    type Octets = Bytes;
    type OctetsBuilder = BytesMut;
    type Name = Name<Bytes>;
    type Error = StrError;

    fn has_space(&self) -> bool {
        self.0.has_space()
    }

    fn continues(&mut self) -> bool {
        self.0.continues()
    }

    fn scan_symbols<F>(&mut self, op: F) -> Result<(), StrError>
    where
        F: FnMut(Symbol) -> Result<(), StrError>,
    {
        self.0.scan_symbols(op)
    }

    fn scan_entry_symbols<F>(&mut self, op: F) -> Result<(), StrError>
    where
        F: FnMut(EntrySymbol) -> Result<(), StrError>,
    {
        self.0.scan_entry_symbols(op)
    }

    fn convert_token<C: ConvertSymbols<Symbol, StrError>>(&mut self, convert: C) -> Result<Bytes, StrError> {
        self.0.convert_token(convert)
    }

    fn convert_entry<C: ConvertSymbols<EntrySymbol, StrError>>(
        &mut self,
        convert: C,
    ) -> Result<Bytes, StrError> {
        self.0.convert_entry(convert)
    }

    fn scan_octets(&mut self) -> Result<Bytes, StrError> {
        self.0.scan_octets()
    }

    /// Tokens hold `key="value"` as one word without the quotes.
    fn scan_svcb_octets(&mut self) -> Result<Bytes, StrError> {
        self.0.scan_octets()
    }

    fn scan_ascii_str<F, T>(&mut self, op: F) -> Result<T, StrError>
    where
        F: FnOnce(&str) -> Result<T, StrError>,
    {
        self.0.scan_ascii_str(op)
    }

    fn scan_name(&mut self) -> Result<Name<Bytes>, StrError> {
        self.0.scan_name()
    }

    fn scan_charstr(&mut self) -> Result<CharStr<Bytes>, StrError> {
        self.0.scan_charstr()
    }

    fn scan_string(&mut self) -> Result<Str<Bytes>, StrError> {
        self.0.scan_string()
    }

    fn scan_charstr_entry(&mut self) -> Result<Bytes, StrError> {
        self.0.scan_charstr_entry()
    }

    fn scan_opt_unknown_marker(&mut self) -> Result<bool, StrError> {
        Ok(false)
    }

    fn octets_builder(&mut self) -> Result<BytesMut, StrError> {
        self.0.octets_builder()
    }
}
