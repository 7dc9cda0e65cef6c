//! Health, reflection, what is not there yet, and the rules of the proto files.

use std::time::Duration;

use deskd::{
    client,
    internals::DESCRIPTORS,
    v1::{self, Feature},
};
use prost_reflect::DescriptorPool;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::common::{
    Daemon, Witness, XServer,
    daemon::{raw, screen},
};

async fn connection(daemon: &Daemon) -> client::Connection {
    client::connect(&daemon.address(), None, None, Duration::from_secs(5))
        .await
        .unwrap()
}

async fn health(daemon: &Daemon, service: &str) -> ServingStatus {
    let mut health = HealthClient::new(connection(daemon).await);
    let request = HealthCheckRequest {
        service: service.into(),
    };
    health.check(request).await.unwrap().into_inner().status()
}

/// Polls until health says `wanted`.
async fn wait_for_health(daemon: &Daemon, wanted: ServingStatus, limit: Duration) {
    let deadline = tokio::time::Instant::now() + limit;
    while health(daemon, "deskd.v1.Desktop").await != wanted {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not {wanted:?} within {limit:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn health_follows_the_display_and_the_process_does_not() {
    let mut server = XServer::not_yet();
    let daemon = Daemon::start(&server);
    assert_eq!(health(&daemon, "").await, ServingStatus::Serving);
    assert_eq!(
        health(&daemon, "deskd.v1.Desktop").await,
        ServingStatus::NotServing
    );
    // A server without anything drawn is no desktop.
    server.restart();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        health(&daemon, "deskd.v1.Desktop").await,
        ServingStatus::NotServing
    );
    // Only the health checks wait for the paint.
    Witness::new(&server).draw_pattern(5);
    wait_for_health(&daemon, ServingStatus::Serving, Duration::from_secs(5)).await;
    // Hung: not serving once the last answer is 5 s old, without any call.
    server.stop();
    wait_for_health(&daemon, ServingStatus::NotServing, Duration::from_secs(10)).await;
    assert_eq!(health(&daemon, "").await, ServingStatus::Serving);
    server.resume();
    wait_for_health(&daemon, ServingStatus::Serving, Duration::from_secs(5)).await;
    // A server that dies is noticed at once, by the connection's end.
    server.kill();
    wait_for_health(&daemon, ServingStatus::NotServing, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn reflection_names_the_services() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut reflection = ServerReflectionClient::new(connection(&daemon).await);
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(list),
    };
    let mut replies = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let reply = replies
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    let MessageResponse::ListServicesResponse(list) = reply else {
        panic!("{reply:?}")
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in [
        "deskd.v1.Desktop",
        "deskd.v1.Stack",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[tokio::test]
async fn a_feature_is_available_or_says_why_not() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::with(&server, &["--read-only"]);
    let mut desktop = daemon.client().await;
    // It is connected.
    screen(&mut desktop, raw()).await;
    let info = desktop
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    let is_available = |feature: Feature| {
        let mut cells = info.features.iter();
        let cell = cells.find(|cell| cell.feature() == feature);
        cell.unwrap_or_else(|| panic!("{feature:?}")).available
    };
    let looks = [
        Feature::Screenshot,
        Feature::Watch,
        Feature::Webp,
        Feature::SharedMemory,
        Feature::Cursor,
        Feature::ExpectedWindows,
    ];
    for feature in looks {
        assert!(is_available(feature), "{feature:?}");
    }
    for feature in [Feature::Act, Feature::Type, Feature::Paste, Feature::Stack] {
        assert!(!is_available(feature), "{feature:?}");
    }
    for cell in &info.features {
        assert_eq!(cell.available, cell.message.is_empty(), "{cell:?}");
        let reason = cell.reason() == v1::Reason::Unspecified;
        assert_eq!(cell.available, reason, "{cell:?}");
    }
    // All that this release knows, each once.
    let all = (1..).map_while(|number| Feature::try_from(number).ok());
    let told: Vec<Feature> = info
        .features
        .iter()
        .map(v1::FeatureStatus::feature)
        .collect();
    assert!(all.clone().all(|feature| told.contains(&feature)));
    assert_eq!(all.count(), told.len());
}

/// A daemon that does not know a feature refuses the call, instead of ignoring a field.
#[tokio::test]
async fn a_call_can_require_features() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut desktop = daemon.client().await;
    for (required, code) in [
        ("act,expected_windows", None),
        ("act,telepathy", Some(Code::Unimplemented)),
    ] {
        let mut request = Request::new(raw());
        let value = required.parse().unwrap();
        request.metadata_mut().insert("deskd-require", value);
        let answer = desktop.screenshot(request).await;
        assert_eq!(answer.as_ref().err().map(|status| status.code()), code);
        if let Err(status) = answer {
            assert_eq!(client::reason(&status), v1::Reason::UnsupportedFeature);
        }
    }
}

/// The rules of buf's standard lint that the contract names, and that every
/// public item says what it is.
#[test]
fn the_proto_files_keep_their_rules() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = |name: &str| name.starts_with("deskd.v1.");
    let mut enums = 0;
    for item in pool.all_enums().filter(|item| ours(item.full_name())) {
        enums += 1;
        let mut prefix = String::new();
        for c in item.name().chars() {
            if c.is_uppercase() && !prefix.is_empty() {
                prefix.push('_');
            }
            prefix.push(c.to_ascii_uppercase());
        }
        for value in item.values() {
            assert!(
                value.name().starts_with(&format!("{prefix}_")),
                "{}",
                value.full_name()
            );
        }
        assert_eq!(
            item.get_value(0).unwrap().name(),
            format!("{prefix}_UNSPECIFIED")
        );
    }
    assert!(enums > 10);
    for service in pool.services().filter(|service| ours(service.full_name())) {
        for method in service.methods() {
            assert_eq!(method.input().name(), format!("{}Request", method.name()));
            assert_eq!(method.output().name(), format!("{}Response", method.name()));
        }
    }
    for message in pool
        .all_messages()
        .filter(|message| ours(message.full_name()))
    {
        for field in message.fields() {
            assert_eq!(field.name(), field.name().to_ascii_lowercase());
        }
    }
}
