//! Generates the stubs from the contract, with a `protoc` that comes as a crate.

use std::error::Error;
use std::path::{Path, PathBuf};

const PROTO: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let mut protoc = tonic_prost_build::Config::new();
    protoc.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    tonic_prost_build::configure().build_server(false).compile_with_config(
        protoc,
        &contract()?,
        &[PROTO.into()],
    )?;
    Ok(())
}

/// Every file of the contract.
fn contract() -> Result<Vec<PathBuf>, std::io::Error> {
    Path::new(PROTO).join("stardag/v1").read_dir()?.map(|entry| Ok(entry?.path())).collect()
}
