#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| port53_fuzz::legacy::run(input));
