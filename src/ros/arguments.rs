//! The command line as ROS reads it: what lies outside `--ros-args` is refused, and names are resolved as rcl
//! resolves them, since the client library tells no one which topic it really subscribed to.

/// A command line that no one would read as it was meant.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub(super) String);

/// What the command line says beside parameters, which rcl reads itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Arguments {
    /// `(node, from, to)` of each `-r [node:]from:=to`, in order.
    remaps: Vec<(Option<String>, String, String)>,
    /// Whether `--params-file` was given.
    pub(super) has_params_file: bool,
}

/// A node's own names, all fully qualified.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Names {
    /// `/namespace/node`.
    pub(super) node: String,
    namespace: String,
}

impl Arguments {
    /// Of this process.
    ///
    /// # Errors
    /// An argument that no one would read.
    pub(super) fn of_process() -> Result<Self, UsageError> {
        let arguments = std::env::args_os().skip(1).map(|a| a.into_string());
        let arguments: Result<Vec<String>, _> = arguments.collect();
        let arguments = arguments.map_err(|a| UsageError(format!("argument {a:?} is not UTF-8")))?;
        Self::parse(&arguments)
    }

    fn parse(arguments: &[String]) -> Result<Self, UsageError> {
        let mut out = Self::default();
        let mut ours = false;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match (ours, argument.as_str()) {
                (_, "--ros-args") => ours = true,
                (true, "--") => ours = false,
                (true, "--params-file") => {
                    out.has_params_file = true;
                    rest.next();
                }
                (true, "-r" | "--remap") => out.remaps.extend(rest.next().and_then(|rule| remap(rule))),
                (true, _) => (),
                (false, stray) => {
                    return Err(UsageError(format!(
                        "argument \"{stray}\" is not read; usage: open_set_node --ros-args [-p NAME:=VALUE] \
                         [--params-file FILE] [-r FROM:=TO]; parameters: config/open_set.param.yaml"
                    )));
                }
            }
        }
        Ok(out)
    }

    /// The topic that `topic` means to this node: fully qualified, remapped by the first rule that fits.
    pub(super) fn resolve(&self, names: &Names, topic: &str) -> String {
        let wanted = names.expand(topic);
        let name = names.node.rsplit('/').next();
        let mut rules =
            self.remaps.iter().filter(|(node, ..)| node.as_deref().is_none_or(|n| Some(n) == name));
        match rules.find(|(_, from, _)| names.expand(from) == wanted) {
            Some((_, _, to)) => names.expand(to),
            None => wanted,
        }
    }
}

impl Names {
    pub(super) fn new(node: String, namespace: String) -> Self {
        Self { node, namespace }
    }

    /// `/absolute`, `~/private` and `relative` names to absolute ones.
    fn expand(&self, name: &str) -> String {
        if name.starts_with('/') {
            return name.to_owned();
        }
        match name.strip_prefix('~') {
            Some(rest) => format!("{}{rest}", self.node),
            None => format!("{}/{name}", self.namespace.trim_end_matches('/')),
        }
    }
}

/// `[node:]from:=to`; the rules for node and namespace (`__node`, `__ns`) are no names of topics.
fn remap(rule: &str) -> Option<(Option<String>, String, String)> {
    let (from, to) = rule.split_once(":=")?;
    let from = from.strip_prefix("rostopic://").unwrap_or(from);
    let (node, from) = match from.split_once(':') {
        Some((node, from)) => (Some(node.to_owned()), from),
        None => (None, from),
    };
    (!from.starts_with("__")).then(|| (node, from.to_owned(), to.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, UsageError> {
        let words: Vec<String> = line.split_whitespace().map(Into::into).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn what_no_one_reads_is_refused() {
        assert!(parse("").is_ok());
        assert!(parse("--ros-args -p threads:=2 -- --ros-args -r a:=b").is_ok());
        for line in ["--model my.yaml", "--help", "--ros-args -p a:=b -- stray"] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains("usage"), "{error}");
        }
        assert!(parse("--ros-args --params-file x.yaml").unwrap().has_params_file);
    }

    #[test]
    fn names_resolve_as_rcl_resolves_them() {
        let names = Names::new("/front/open_set".into(), "/front".into());
        let resolve = |line: &str, topic: &str| parse(line).unwrap().resolve(&names, topic);
        assert_eq!(resolve("", "image"), "/front/image");
        assert_eq!(resolve("", "/image"), "/image");
        assert_eq!(resolve("", "~/image"), "/front/open_set/image");
        assert_eq!(resolve("--ros-args -r /image:=/cam", "/image"), "/cam");
        assert_eq!(resolve("--ros-args -r image:=cam", "image"), "/front/cam");
        assert_eq!(resolve("--ros-args -r rostopic://image:=cam", "image"), "/front/cam");
        assert_eq!(resolve("--ros-args -r open_set:/image:=/cam", "/image"), "/cam");
        assert_eq!(resolve("--ros-args -r other:/image:=/cam", "/image"), "/image");
        assert_eq!(resolve("--ros-args -r __ns:=/x -r /image:=/a -r /image:=/b", "/image"), "/a");
        let root = Names::new("/open_set".into(), "/".into());
        assert_eq!(Arguments::default().resolve(&root, "image"), "/image");
    }
}
