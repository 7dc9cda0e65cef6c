//! R36, R47, R49: who is let in.

use std::time::Duration;

use deskd::{Address, Token, client, v1};
use tonic::{Code, Status};

use crate::common::{Daemon, XServer, daemon::token_file};

async fn info(
    address: &Address,
    token: Option<&Token>,
    tls: Option<&client::Tls>,
) -> Result<(), Status> {
    let connection = client::connect(address, token, tls, Duration::from_secs(5)).await;
    let connection = connection.map_err(|error| Status::unavailable(error.to_string()))?;
    client::desktop(connection)
        .get_info(v1::GetInfoRequest {})
        .await
        .map(drop)
}

fn token(folder: &std::path::Path, text: &str) -> Token {
    let path = folder.join("given");
    std::fs::write(&path, text).unwrap();
    Token::read(&path).unwrap()
}

#[tokio::test]
async fn r47_over_tcp_only_the_token_opens() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let (file, text) = token_file(folder.path());
    let daemon = Daemon::with(
        &server,
        &[
            "--listen",
            "127.0.0.1:0",
            "--token-file",
            file.to_str().unwrap(),
        ],
    );
    let address = daemon.tcp_address();
    info(&address, Some(&token(folder.path(), &text)), None)
        .await
        .unwrap();
    let missing = info(&address, None, None).await.unwrap_err();
    assert_eq!(
        (missing.code(), client::reason(&missing)),
        (Code::Unauthenticated, v1::Reason::TokenMissing)
    );
    for wrong in [
        &text[..text.len() - 1],
        &format!("{text}x"),
        "another-token-0000000",
    ] {
        let status = info(&address, Some(&token(folder.path(), wrong)), None)
            .await
            .unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (Code::Unauthenticated, v1::Reason::TokenInvalid)
        );
    }
    // Reflection asks too; health does not.
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let request = tonic_reflection::pb::v1::ServerReflectionRequest::default();
    let mut reflection =
        tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(
            channel.clone(),
        );
    let status = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    // The Unix socket is open to its own user without the token.
    info(&daemon.address(), None, None).await.unwrap();
    // R49: nowhere in the log, at its most verbose.
    assert!(!daemon.log().contains("canary"), "the token is in the log");
}

#[tokio::test]
async fn r36_a_replaced_token_holds_within_a_second() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let (file, old) = token_file(folder.path());
    let daemon = Daemon::with(
        &server,
        &[
            "--listen",
            "127.0.0.1:0",
            "--token-file",
            file.to_str().unwrap(),
        ],
    );
    let address = daemon.tcp_address();
    let old = token(folder.path(), &old);
    info(&address, Some(&old), None).await.unwrap();
    let next = folder.path().join("next");
    std::fs::write(&next, "a-new-token-0123456789").unwrap();
    std::fs::rename(&next, &file).unwrap();
    let new = token(folder.path(), "a-new-token-0123456789");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        info(&address, Some(&old), None).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    info(&address, Some(&new), None).await.unwrap();
    // A token file that is gone lets nobody in.
    std::fs::remove_file(&file).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        info(&address, Some(&new), None).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn another_user_is_refused_by_name() {
    let server = XServer::with_screen("320x240x24", &[]);
    // The tests' own user is not on the list.
    let daemon = Daemon::with(&server, &["--allow-uid", "12345"]);
    let status = info(&daemon.address(), None, None).await.unwrap_err();
    assert_eq!(
        (status.code(), client::reason(&status)),
        (Code::Unauthenticated, v1::Reason::PeerNotAllowed)
    );
    assert!(
        status.message().contains("--allow-uid"),
        "{}",
        status.message()
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(daemon.socket()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn tls_serves_and_mutual_tls_asks_for_a_certificate() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let (token_path, text) = token_file(folder.path());
    let write = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own =
        rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let (cert, key) = (
        write("cert", &own.cert.pem()),
        write("key", &own.signing_key.serialize_pem()),
    );
    let issued = rcgen::generate_simple_self_signed(vec!["worker".into()]).unwrap();
    let client_ca = write("client-ca", &issued.cert.pem());
    let tls = [
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        token_path.to_str().unwrap(),
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ];
    let token = token(folder.path(), &text);

    let daemon = Daemon::with(&server, &tls);
    let authority = own.cert.pem().into_bytes();
    let plain = client::Tls {
        authority: authority.clone(),
        identity: None,
    };
    info(&daemon.tcp_address(), Some(&token), Some(&plain))
        .await
        .unwrap();
    // Neither without TLS nor with a stranger's authority.
    assert!(
        info(&daemon.tcp_address(), Some(&token), None)
            .await
            .is_err()
    );
    let stranger = client::Tls {
        authority: issued.cert.pem().into_bytes(),
        identity: None,
    };
    assert!(
        info(&daemon.tcp_address(), Some(&token), Some(&stranger))
            .await
            .is_err()
    );
    drop(daemon);

    let daemon = Daemon::with(
        &server,
        &[&tls[..], &["--tls-client-ca", &client_ca]].concat(),
    );
    assert!(
        info(&daemon.tcp_address(), Some(&token), Some(&plain))
            .await
            .is_err()
    );
    let identity = (
        issued.cert.pem().into_bytes(),
        issued.signing_key.serialize_pem().into_bytes(),
    );
    let mutual = client::Tls {
        authority,
        identity: Some(identity),
    };
    info(&daemon.tcp_address(), Some(&token), Some(&mutual))
        .await
        .unwrap();
    // The token is asked for all the same.
    assert_eq!(
        info(&daemon.tcp_address(), None, Some(&mutual))
            .await
            .unwrap_err()
            .code(),
        Code::Unauthenticated
    );
}
