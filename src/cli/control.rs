//! `deskd control`: who is in control of the input.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    call::variable,
    client_args::ClientArgs,
    exit::{CliError, Exit},
    json,
    print::say,
    values,
};
use crate::rpc::{client, v1};

#[derive(Debug, Args)]
pub(super) struct ControlArgs {
    #[command(subcommand)]
    command: ControlCommand,
}

#[derive(Debug, Subcommand)]
enum ControlCommand {
    /// Take control, as a person, and print the id of the lease. While the lease lasts, only commands
    /// with the id in DESKD_LEASE, or with --lease, change the desktop.
    Take(TakeArgs),
    /// Extend the lease.
    Renew(RenewArgs),
    /// Give control back.
    Give(GiveArgs),
    /// Say who is in control.
    Status(ClientArgs),
}

#[derive(Debug, Args)]
struct TakeArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Take it as an agent, not as a person.
    #[arg(long)]
    agent: bool,
    /// Your name, for others to see [default: the name of the user].
    #[arg(long, value_name = "NAME")]
    holder: Option<String>,
    /// Why, for others to see.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// The lease ends after this time, if it is not renewed: 1s to 1h.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::deadline)]
    ttl: Duration,
}

#[derive(Debug, Args)]
struct RenewArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The lease ends after this time, if it is not renewed again: 1s to 1h [default: as before].
    #[arg(long, value_name = "TIME", value_parser = values::deadline)]
    ttl: Option<Duration>,
}

#[derive(Debug, Args)]
struct GiveArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs `deskd control`.
pub(super) async fn control(args: ControlArgs) -> Result<Exit, CliError> {
    match args.command {
        ControlCommand::Take(args) => take(args).await,
        ControlCommand::Renew(args) => renew(args).await,
        ControlCommand::Give(args) => give(args).await,
        ControlCommand::Status(args) => status(args).await,
    }
}

async fn take(mut args: TakeArgs) -> Result<Exit, CliError> {
    let mut daemon = client::control(args.client.connection().await?);
    let kind = match args.agent {
        true => v1::LeaseKind::Agent,
        false => v1::LeaseKind::Person,
    };
    let own_name = || {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        let user = user.ok().flatten().map(|user| user.name);
        user.or_else(|| variable("USER"))
            .unwrap_or("unnamed".into())
    };
    let request = v1::TakeControlRequest {
        kind: kind.into(),
        holder: args.holder.unwrap_or_else(own_name),
        reason: args.reason,
        ttl: prost_types::Duration::try_from(args.ttl).ok(),
    };
    let reply = daemon
        .take_control(args.client.request(request))
        .await?
        .into_inner();
    match args.client.json {
        true => say!("{}", json::value("TakeControlResponse", &reply)?),
        false => say!("{}", reply.lease_id),
    }
    Ok(Exit::Done)
}

async fn renew(mut args: RenewArgs) -> Result<Exit, CliError> {
    let Some(lease_id) = args.client.lease().map(str::to_owned) else {
        let message = "give the lease that `deskd control take` printed: --lease, or DESKD_LEASE";
        return Err(CliError::new(Exit::Usage, message));
    };
    let mut daemon = client::control(args.client.connection().await?);
    let ttl = args.ttl.map(prost_types::Duration::try_from);
    let request = v1::RenewControlRequest {
        lease_id,
        ttl: ttl.and_then(Result::ok),
    };
    let reply = daemon
        .renew_control(args.client.request(request))
        .await?
        .into_inner();
    if args.client.json {
        say!("{}", json::value("RenewControlResponse", &reply)?);
    }
    Ok(Exit::Done)
}

async fn give(mut args: GiveArgs) -> Result<Exit, CliError> {
    let mut daemon = client::control(args.client.connection().await?);
    let request = v1::GiveControlRequest {
        lease_id: args.client.lease().unwrap_or_default().to_owned(),
    };
    let reply = daemon
        .give_control(args.client.request(request))
        .await?
        .into_inner();
    if args.client.json {
        say!("{}", json::value("GiveControlResponse", &reply)?);
    }
    Ok(Exit::Done)
}

async fn status(mut args: ClientArgs) -> Result<Exit, CliError> {
    let mut daemon = client::control(args.connection().await?);
    let request = args.request(v1::GetControlRequest {});
    let reply = daemon.get_control(request).await?.into_inner();
    match args.json {
        true => say!("{}", json::value("GetControlResponse", &reply)?),
        false => say!("{}", line(&reply.control.unwrap_or_default())),
    }
    Ok(Exit::Done)
}

fn line(control: &v1::ControlState) -> String {
    let epoch = control.control_epoch;
    let Some(lease) = &control.lease else {
        return format!(
            "nobody holds a lease: every admitted caller may act (control epoch {epoch})"
        );
    };
    let kind = match lease.kind() {
        v1::LeaseKind::Agent => "an agent",
        _ => "a person",
    };
    let reason = match lease.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let left = lease.remaining.map_or(0, |left| left.seconds);
    let holder = &lease.holder;
    format!("{holder} ({kind}) is in control{reason} (another {left} s, control epoch {epoch})")
}
