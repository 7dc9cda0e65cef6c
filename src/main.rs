//! The `deskd` binary.

fn main() -> std::process::ExitCode {
    deskd::run()
}
