//! What each parameter is for.

/// One sentence a parameter, in the order they are declared; shown by `ros2 param describe`.
pub const DESCRIPTIONS: [(&str, &str); 44] = [
    ("model", "manifest of the model (models/NAME.yaml); its ONNX file lies beside it"),
    (
        "autostart",
        "configure and activate at the start; false: wait for a lifecycle manager's ~/change_state",
    ),
    (
        "cameras",
        "names of several cameras, each with topic (/NAME/image_raw), region, mask, threshold and budget of its own (NAME.camera_topic, ...) and outputs in ~/NAME/; empty: one without a name",
    ),
    ("sessions", "shared: cameras take turns at one network, who waits longest first; each: one a camera"),
    ("camera_topic", "sensor_msgs/Image to segment"),
    ("camera_info_topic", "sensor_msgs/CameraInfo of that camera; empty: camera_info beside camera_topic"),
    (
        "transport",
        "as image_transport names it: raw, or compressed (sensor_msgs/CompressedImage, JPEG or PNG, on camera_topic/compressed)",
    ),
    (
        "score",
        "anomaly score: hybrid, generative (or energy), discriminative, msp, max-logit, entropy, oh-msp, sml or react; higher is more anomalous",
    ),
    ("temperature", "divides every logit the score reads; 0.001 to 1000, sml has 1 only"),
    (
        "threshold_override",
        "scores above it are unknown, in the score's unit; NaN: the manifest's calibration",
    ),
    (
        "input_size",
        "network input WIDTHxHEIGHT; empty: the manifest's first; auto: the largest calibrated one that keeps latency_budget_ms",
    ),
    ("fit", "how the image meets the input: stretch, letterbox (keep proportions, pad) or crop"),
    ("region", "part of the image to segment, x,y,width,height in camera pixels; empty: all of it"),
    ("mask", "PNG of the camera's size whose non-zero pixels (ego vehicle) are never labelled; empty: none"),
    ("output_size", "size of labels and anomaly: camera or network"),
    (
        "providers",
        "execution providers in order: tensorrt, cuda, cpu; without cpu in the list every node of the graph must run on the others",
    ),
    ("threads", "CPU threads of inference, and as many of scoring, which take turns; 0: all cores"),
    (
        "onnxruntime",
        "path of libonnxruntime.so; empty: ORT_DYLIB_PATH, beside the program, the private prefix",
    ),
    (
        "latency_budget_ms",
        "from image stamp to published labels, in milliseconds; frames that cannot make it are not begun; 0: none",
    ),
    (
        "over_budget",
        "what becomes of a result that missed the budget: drop, or flag (published, and its frame_status says so)",
    ),
    (
        "bad_stamps",
        "images whose stamp is zero or ahead of the clock: arrival (their age counts from when they came) or drop",
    ),
    (
        "on_fault",
        "what is published for an image that the network fails on: silent (nothing) or all_unknown (labels of K everywhere)",
    ),
    (
        "on_stuck",
        "what is done about a frame that is not finished: exit (code 1, for a supervisor) or all_unknown (labels of K everywhere for each image that comes meanwhile)",
    ),
    ("stuck_after_s", "seconds of work on one frame after which it is called stuck, 0.5 to 3600"),
    ("stale_after_s", "seconds without an image after which the camera is reported stale"),
    (
        "heatmap_range",
        "score distance from the threshold at which the heatmap's colours end, in the score's unit",
    ),
    (
        "hysteresis.delta",
        "an unknown pixel is known again only when its score is so far below the threshold, in the score's unit; 0: at it",
    ),
    ("hysteresis.frames", "and only when it has been in so many frames in a row, 1 to 100"),
    ("image.frozen_after_s", "seconds of the very same picture after which it is reported frozen; 0: never"),
    ("image.black_share", "share of dark pixels above which the picture is reported black; 0: never"),
    ("image.bright_share", "share of white pixels above which it is reported over-exposed; 0: never"),
    ("image.blocked_share", "share of it without texture above which it is reported blocked; 0: never"),
    ("drift.window_s", "seconds of scores that are held against the calibration's histogram; 0: none"),
    (
        "drift.warn_psi",
        "population stability index from which on the calibration is said not to describe the stream",
    ),
    (
        "realtime.cpus",
        "CPUs that the inference thread and those it starts run on, e.g. 2,4-7, with threads set; empty: any",
    ),
    (
        "realtime.priority",
        "SCHED_FIFO priority of the inference thread and those it starts, 1 to 99; 0: none",
    ),
    ("realtime.lock_memory", "keep all of the process's memory in RAM (mlockall), once the model is warm"),
    (
        "realtime.required",
        "refuse to start where the system does not grant one of these; false: say so and go on",
    ),
    ("publish.labels_compressed", "offer ~/labels/compressed (PNG)"),
    ("publish.labels_color", "offer ~/labels/color (rgb8)"),
    ("publish.anomaly", "offer ~/anomaly (32FC1)"),
    ("publish.heatmap", "offer ~/anomaly/heatmap (bgr8)"),
    ("publish.overlay", "offer ~/overlay (bgr8)"),
    ("publish.frame_status", "offer ~/frame_status (DiagnosticArray with each result's header)"),
];
