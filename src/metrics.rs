//! Counters and durations of the daemon, for Prometheus.
//!
//! Each module counts its events here, and [`rpc`](crate::rpc) serves the text (OpenMetrics 1.0).
//! Durations are in seconds. No label is derived from request data, so the number of series is
//! bounded, and no label contains typed or captured content.

use std::{
    fmt,
    sync::{LazyLock, Once},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeMetric, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Seconds = Family<Labels<1>, Histogram, fn() -> Histogram>;
type Level = Gauge<f64, std::sync::atomic::AtomicU64>;

/// The metrics of this process.
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// A metric: its name, its type and its help text.
pub type Description = (String, &'static str, &'static str);

/// The registry and a list of its metrics, because a registry does not list them.
#[derive(Default)]
struct Described {
    registry: Registry,
    list: Vec<Description>,
}

impl Described {
    fn register(
        &mut self,
        name: &'static str,
        about: &'static str,
        metric: impl EncodeMetric + fmt::Debug + Send + Sync + 'static,
    ) {
        let (kind, suffix) = match metric.metric_type() {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Gauge => ("gauge", ""),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info | MetricType::Unknown => ("info", ""),
        };
        self.list
            .push((format!("deskd_{name}{suffix}"), kind, about));
        self.registry.register(name, about, metric);
    }
}

/// Returns all metrics of a daemon.
pub fn all_metrics() -> Vec<Description> {
    METRICS.described.list.clone()
}

struct Metrics {
    described: Described,
    began: Instant,
    frames: Family<Labels<3>, Counter>,
    bytes: Family<Labels<1>, Counter>,
    wait: Histogram,
    capture: Histogram,
    encode: Histogram,
    acts: Seconds,
    settles: Seconds,
    verdicts: Family<Labels<1>, Counter>,
    refusals: Family<Labels<1>, Counter>,
    log_bytes: Counter,
    log_lost: Counter,
    stages: Family<Labels<2>, Counter>,
    stage_seconds: Seconds,
    // A family with one series, which exists only when its value is known.
    first_paint: Family<Labels<0>, Level>,
    ready: Family<Labels<0>, Level>,
    up: Family<Labels<1>, Gauge>,
    restarts: Family<Labels<1>, Gauge>,
    display: Family<Vec<(&'static str, String)>, Gauge>,
    connected: Gauge,
    painted: Gauge,
    held: Gauge,
}

/// A histogram from 50 µs to 13 s, for operations on the screen.
fn quick() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 19))
}

/// A histogram from 1 ms to 131 s, for operations on the desktop.
fn slow() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

impl Metrics {
    fn new() -> Self {
        let mut all = Described {
            registry: Registry::with_prefix("deskd"),
            list: Vec::new(),
        };
        let build: Family<Labels<1>, Gauge> = Family::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        all.register("build_info", "The daemon's version", build);
        let slow_by_label: fn() -> Histogram = slow;
        let metrics = Self {
            described: Described::default(),
            began: Instant::now(),
            frames: Family::default(),
            bytes: Family::default(),
            wait: slow(),
            capture: quick(),
            encode: quick(),
            acts: Seconds::new_with_constructor(slow_by_label),
            settles: Seconds::new_with_constructor(slow_by_label),
            verdicts: Family::default(),
            refusals: Family::default(),
            log_bytes: Counter::default(),
            log_lost: Counter::default(),
            stages: Family::default(),
            stage_seconds: Seconds::new_with_constructor(slow_by_label),
            first_paint: Family::default(),
            ready: Family::default(),
            up: Family::default(),
            restarts: Family::default(),
            display: Family::default(),
            connected: Gauge::default(),
            painted: Gauge::default(),
            held: Gauge::default(),
        };
        let Self {
            frames,
            bytes,
            wait,
            capture,
            encode,
            acts,
            settles,
            verdicts,
            refusals,
            log_bytes,
            log_lost,
            stages,
            stage_seconds,
            first_paint,
            ready,
            up,
            restarts,
            display,
            connected,
            painted,
            held,
            ..
        } = &metrics;
        all.register(
            "frames",
            "Frames sent: screen, unchanged, or card with its stage and reason",
            frames.clone(),
        );
        all.register(
            "image_bytes",
            "Bytes of images sent, by format",
            bytes.clone(),
        );
        all.register(
            "frame_wait_seconds",
            "From a call to its capture: the display, its paint, other captures",
            wait.clone(),
        );
        all.register("capture_seconds", "Reading the screen", capture.clone());
        all.register("encode_seconds", "Encoding what changed", encode.clone());
        all.register(
            "act_seconds",
            "Whole steps, with the frame, by outcome",
            acts.clone(),
        );
        all.register(
            "settle_seconds",
            "Waiting for the screen's rest after input, by why it ended",
            settles.clone(),
        );
        all.register(
            "verdicts",
            "Answers of the paint gate to WaitReady",
            verdicts.clone(),
        );
        all.register("refusals", "Calls refused, by reason", refusals.clone());
        all.register(
            "log_bytes",
            "Bytes written to logs of runs",
            log_bytes.clone(),
        );
        all.register(
            "log_lost_records",
            "Records that are missing in logs of runs",
            log_lost.clone(),
        );
        all.register(
            "stages",
            "Steps of the stack's bring-ups and restarts, by component and status",
            stages.clone(),
        );
        all.register(
            "stage_seconds",
            "From the begin of a bring-up to a component's being there",
            stage_seconds.clone(),
        );
        all.register(
            "first_paint_seconds",
            "From the daemon's start to the first sight of something drawn",
            first_paint.clone(),
        );
        all.register(
            "ready_seconds",
            "From the daemon's start to the first proof that the desktop is painted",
            ready.clone(),
        );
        all.register(
            "component_up",
            "Whether a component of the stack runs",
            up.clone(),
        );
        all.register(
            "component_restarts",
            "Restarts of a component since the stack was brought up",
            restarts.clone(),
        );
        all.register(
            "display_info",
            "The X server: its generation, geometry epoch, size and how it is read",
            display.clone(),
        );
        all.register(
            "x_connected",
            "Whether the X server answered lately",
            connected.clone(),
        );
        all.register("painted", "Whether the paint is proved", painted.clone());
        all.register(
            "held",
            "Keys and buttons that deskd holds down",
            held.clone(),
        );
        Self {
            described: all,
            ..metrics
        }
    }
}

/// Starts the clock that measures the times since the daemon's start.
pub(crate) fn start() {
    LazyLock::force(&METRICS);
}

/// A frame that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// `screen`, `unchanged` or `card`.
    pub(crate) kind: &'static str,
    /// A card's stage and reason; otherwise empty.
    pub(crate) why: (&'static str, &'static str),
    /// `png`, `jpeg`, `webp` or `raw`.
    pub(crate) format: &'static str,
    /// Size of its image in bytes.
    pub(crate) bytes: usize,
    /// Durations: from the call to the capture, of the capture, of the encoding.
    pub(crate) times: [Duration; 3],
}

/// Counts a frame.
pub(crate) fn sent(frame: &Sent) {
    let (stage, reason) = frame.why;
    let labels = [("kind", frame.kind), ("stage", stage), ("reason", reason)];
    METRICS.frames.get_or_create(&labels).inc();
    METRICS
        .bytes
        .get_or_create(&[("format", frame.format)])
        .inc_by(frame.bytes as u64);
    if frame.kind == "card" {
        return;
    }
    let [wait, capture, encode] = frame.times.map(|time| time.as_secs_f64());
    METRICS.wait.observe(wait);
    METRICS.capture.observe(capture);
    if frame.kind == "screen" {
        METRICS.encode.observe(encode);
    }
}

/// Counts a step.
pub(crate) fn acted(outcome: &'static str, took: Duration, settle: (&'static str, Duration)) {
    let seconds = took.as_secs_f64();
    METRICS
        .acts
        .get_or_create(&[("outcome", outcome)])
        .observe(seconds);
    let (end, waited) = settle;
    METRICS
        .settles
        .get_or_create(&[("end", end)])
        .observe(waited.as_secs_f64());
}

/// Counts a verdict of the paint gate.
pub(crate) fn verdict(name: &'static str) {
    METRICS.verdicts.get_or_create(&[("verdict", name)]).inc();
}

/// Counts a call that is refused.
pub(crate) fn refused(reason: &'static str) {
    METRICS.refusals.get_or_create(&[("reason", reason)]).inc();
}

/// Counts bytes that were written to a log.
pub(crate) fn logged(bytes: u64) {
    METRICS.log_bytes.inc_by(bytes);
}

/// Counts records of a log that were lost.
pub(crate) fn log_lost(records: u64) {
    METRICS.log_lost.inc_by(records);
}

/// Counts a stage event of the stack; `elapsed` is the time since the bring-up began.
pub(crate) fn stage(component: &'static str, status: &'static str, elapsed: Duration) {
    let labels = [("component", component), ("status", status)];
    METRICS.stages.get_or_create(&labels).inc();
    if status == "completed" {
        METRICS
            .stage_seconds
            .get_or_create(&[("component", component)])
            .observe(elapsed.as_secs_f64());
    }
}

/// Records when the gate first observed something drawn, and when it first reported READY.
pub(crate) fn seen(is_drawn: bool, is_ready: bool) {
    static DRAWN: Once = Once::new();
    static READY: Once = Once::new();
    let now = METRICS.began.elapsed().as_secs_f64();
    if is_drawn {
        DRAWN.call_once(|| {
            METRICS.first_paint.get_or_create(&[]).set(now);
        });
    }
    if is_ready {
        READY.call_once(|| {
            METRICS.ready.get_or_create(&[]).set(now);
        });
    }
}

/// The state at the moment when the metrics are read.
#[derive(Debug, Default)]
pub(crate) struct Now {
    /// Whether the X server answered recently.
    pub(crate) connected: bool,
    /// Whether a paint proof is valid.
    pub(crate) painted: bool,
    /// Number of keys and buttons that deskd holds down.
    pub(crate) held: usize,
    /// The labels `generation`, `epoch`, `size` and capture mode of the screen.
    pub(crate) display: Vec<(&'static str, String)>,
    /// Name, whether it runs, and number of restarts of each component.
    pub(crate) components: Vec<(&'static str, bool, u32)>,
}

/// Returns all metrics as text.
///
/// # Errors
///
/// When a metric cannot be written, which is a defect.
pub(crate) fn text(now: Now) -> Result<String, fmt::Error> {
    let metrics = &*METRICS;
    metrics.connected.set(now.connected.into());
    metrics.painted.set(now.painted.into());
    metrics
        .held
        .set(i64::try_from(now.held).unwrap_or(i64::MAX));
    // Drops the series of an earlier X server or size.
    metrics.display.clear();
    if !now.display.is_empty() {
        metrics.display.get_or_create(&now.display).set(1);
    }
    for (component, up, restarts) in now.components {
        let label = [("component", component)];
        metrics.up.get_or_create(&label).set(up.into());
        metrics.restarts.get_or_create(&label).set(restarts.into());
    }
    let mut out = String::new();
    text::encode(&mut out, &metrics.described.registry)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::*;

    /// Returns the text after one event of each kind, because empty series are left out.
    fn after_one_of_each() -> String {
        let mut frame = Sent {
            kind: "screen",
            why: ("", ""),
            format: "png",
            bytes: 1,
            times: [Duration::ZERO; 3],
        };
        sent(&frame);
        frame.kind = "card";
        frame.why = ("grab", "X_LOST");
        sent(&frame);
        acted("DONE", Duration::ZERO, ("QUIET", Duration::ZERO));
        verdict("READY");
        refused("OUT_OF_SCREEN");
        stage("session", "completed", Duration::ZERO);
        seen(true, true);
        let now = Now {
            display: vec![("generation", "1".into())],
            components: vec![("session", true, 0)],
            ..Now::default()
        };
        text(now).unwrap()
    }

    #[test]
    fn the_dashboard_and_the_docs_ask_for_metrics_that_there_are() {
        let told = after_one_of_each();
        let names: HashSet<&str> = told
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (file, least) in [("image/dashboard.json", 12), ("image/FLEET.md", 4)] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            let asked: HashSet<&str> = text
                .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .filter(|word| word.starts_with("deskd_"))
                .collect();
            assert!(asked.len() >= least, "{file}: {asked:?}");
            let missing: Vec<_> = asked.difference(&names).collect();
            assert!(missing.is_empty(), "{file}: {missing:?} in {names:?}");
        }
    }
}
