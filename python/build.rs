//! Lets the module link outside of maturin on macOS, where undefined symbols are errors by default.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
