//! Gives the shared library the name by which programs find it: that of its binary interface, not of a version.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // As ANYCLAUDE_ABI_VERSION says; a test compares.
    let abi = 1;
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libanyclaude.so.{abi}");
        }
        Ok("macos" | "ios") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libanyclaude.{abi}.dylib");
        }
        _ => {}
    }
}
