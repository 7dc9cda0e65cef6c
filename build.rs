//! Compiles `proto/` without a system `protoc`, and keeps the descriptors for
//! server reflection and for the client's JSON output.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(
        [
            "deskd/v1/clipboard.proto",
            "deskd/v1/control.proto",
            "deskd/v1/desktop.proto",
            "deskd/v1/programs.proto",
            "deskd/v1/recorder.proto",
            "deskd/v1/stack.proto",
            "deskd/v1/windows.proto",
        ],
        ["proto"],
    )?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .codec_path("crate::rpc::transport::codec::Codec")
        // The image is handed to the transport without a copy of ours.
        .bytes(".deskd.v1.ReadClipboardResponse.data")
        .bytes(".deskd.v1.Frame.image")
        .bytes(".deskd.v1.ChangedRegion.image")
        .bytes(".deskd.v1.LogFrame.image")
        .compile_fds(descriptors)?;
    Ok(())
}
