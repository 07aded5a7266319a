//! What a program says of itself (ELF, System V ABI): for which architecture it is, and which loader it needs.

use crate::Architecture;

/// See the module.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Elf {
    pub(crate) architecture: Architecture,
    /// The loader of the system, that brings libraries. A program that is linked whole names none.
    pub(crate) loader: Option<String>,
}

/// Says where the loader is named.
const PT_INTERP: u32 = 3;

/// Reads the head of a program of 64 bits.
///
/// # Errors
/// In words, when it is none, or for an architecture that is not known here.
pub(crate) fn read(octets: &[u8]) -> Result<Elf, String> {
    if octets.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("is no program of 64 bits for Linux".to_owned());
    }
    let cut = || "ends in the middle".to_owned();
    let number = |at: usize, length: usize| -> Result<usize, String> {
        let field = octets.get(at..at.checked_add(length).ok_or_else(cut)?).ok_or_else(cut)?;
        let number = field.iter().rev().fold(0u64, |number, octet| number << 8 | u64::from(*octet));
        usize::try_from(number).map_err(|_| cut())
    };
    let architecture = match number(18, 2)? {
        62 => Architecture::Amd64,
        183 => Architecture::Arm64,
        other => return Err(format!("is for machine {other} of ELF: amd64 (62) and arm64 (183) are known")),
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for entry in 0..count {
        let at = table.checked_add(entry * size).ok_or_else(cut)?;
        if number(at, 4)? == PT_INTERP as usize {
            let (start, length) = (number(at + 8, 8)?, number(at + 32, 8)?);
            let name = octets.get(start..start.checked_add(length).ok_or_else(cut)?).ok_or_else(cut)?;
            let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
            return Ok(Elf { architecture, loader: Some(name) });
        }
    }
    Ok(Elf { architecture, loader: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_that_runs_this_says_what_it_is() {
        let own = std::fs::read(std::env::current_exe().expect("a program")).expect("it can be read");
        let elf = read(&own).expect("a program");
        assert_eq!(elf.architecture.as_str() == "amd64", cfg!(target_arch = "x86_64"));
        assert_eq!(elf.loader.is_none(), cfg!(target_feature = "crt-static"), "{elf:?}");
        // Whatever is cut off, nothing is read beyond it.
        for length in 0..200 {
            let _ = read(&own[..length]);
        }
        assert!(read(b"#!/bin/sh\n").is_err());
    }
}
