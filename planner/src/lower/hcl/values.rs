//! Local values and data sources: one graph, evaluated in the order in which they need each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::blocks::{BuildValues, ComponentBody, Globals, Place, with_scope};
use crate::catalog::{Catalog, ComponentKind, Decoding, Moment, Settings, decode};
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::expression::evaluate::evaluate;
use crate::expression::references::references;
use crate::expression::value::Value;
use crate::graph::{DataSource, NodeId};
use crate::hcl::ast::{Body, Expression, StepKind, Traversal};
use crate::span::{FileId, Span};
use crate::template::hcl::{Declaration, HclTemplate, LocalDeclaration, place};
use crate::value::usage::Usage;

/// The built-in data source that gives back what it is given.
const NULL: &str = "null";

/// A data source whose values another program has to give.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRequest {
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its options, checked.
    pub settings: Settings,
    /// Its place.
    pub span: Span,
}

/// What a data source has answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The object whose attributes templates use.
    pub value: Value,
    /// How long it took.
    pub took: Duration,
}

/// The answers of data sources, by type and name.
pub type Answers = BTreeMap<(String, String), Answer>;

/// What came of local values and data sources beside their values.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The data sources that have yet to be asked, the ones that need no other first.
    pub requests: Vec<DataRequest>,
    /// All data sources, each after those that it needs.
    pub data: Vec<DataSource>,
}

/// One vertex of the graph.
#[derive(Clone, Copy)]
enum Vertex<'a> {
    Local(&'a LocalDeclaration),
    Data(&'a Declaration),
}

impl Vertex<'_> {
    fn name(&self) -> String {
        match self {
            Self::Local(local) => format!("local.{}", local.name),
            Self::Data(data) => format!("data.{}.{}", data.label(0), data.label(1)),
        }
    }

    fn span(&self) -> Span {
        match self {
            Self::Local(local) => local.span,
            Self::Data(data) => data.header(),
        }
    }

    fn file(&self) -> FileId {
        match self {
            Self::Local(local) => local.file,
            Self::Data(data) => data.file,
        }
    }

    fn references(&self) -> Vec<&Traversal> {
        match self {
            Self::Local(local) => references(&local.value),
            Self::Data(data) => body_references(&data.block.body),
        }
    }
}

/// Finds the names that the expressions of a body use, nested blocks included.
fn body_references(body: &Body) -> Vec<&Traversal> {
    let mut found: Vec<&Traversal> = body.attributes().flat_map(|attribute| references(&attribute.value)).collect();
    found.extend(body.blocks().flat_map(|block| body_references(&block.body)));
    found
}

/// Evaluates all local values and data sources into `globals`.
///
/// `known` has the answers of data sources that were asked before.
pub(super) fn evaluate_values(
    template: &HclTemplate,
    known: &Answers,
    catalog: &dyn Catalog,
    globals: &mut Globals,
    problems: &mut Diagnostics,
) -> Asked {
    for data in &template.data {
        let kind = data.label(0);
        if catalog.find(ComponentKind::DataSource, kind).is_none() {
            let mut problem = Diagnostic::error("rpk::hcl::unknown_data", format!("unknown data type `{kind}`"))
                .at(data.header(), "there is no such data source");
            problem.help =
                closest(kind, catalog.names(ComponentKind::DataSource)).map(|close| format!("did you mean `{close}`?"));
            problems.push(problem);
        }
    }
    let mut graph: DiGraph<Vertex<'_>, ()> = DiGraph::new();
    let mut names: HashMap<String, NodeIndex> = HashMap::new();
    let locals = template.locals.iter().map(Vertex::Local);
    for vertex in template.data.iter().map(Vertex::Data).chain(locals) {
        let name = vertex.name();
        names.insert(name, graph.add_node(vertex));
    }
    let mut is_broken = false;
    for index in graph.node_indices().collect::<Vec<_>>() {
        let vertex = graph[index];
        let references = vertex.references();
        for traversal in &references {
            let Some(name) = vertex_name(traversal) else { continue };
            match names.get(&name) {
                Some(target) => {
                    graph.update_edge(index, *target, ());
                }
                None => {
                    is_broken = true;
                    problems.push(missing(&name, traversal, vertex.file(), names.keys().map(String::as_str)));
                }
            }
        }
        let is_whole = |traversal: &&&Traversal| traversal.root.text == "data" && vertex_name(traversal).is_none();
        if let Some(whole) = references.iter().find(is_whole) {
            is_broken = true;
            problems.push(whole_namespace(whole, vertex.file()));
        }
    }
    // Components come after what they need, since edges lead to what is needed.
    let components = tarjan_scc(&graph);
    for component in &components {
        let is_circle = component.len() > 1 || component.iter().any(|index| graph.contains_edge(*index, *index));
        if is_circle {
            is_broken = true;
            let mut members: Vec<Vertex<'_>> = component.iter().map(|index| graph[*index]).collect();
            members.sort_by_key(Vertex::span);
            let list: Vec<String> = members.iter().map(Vertex::name).collect();
            let mut problem = Diagnostic::error(
                "rpk::hcl::cycle",
                format!("failed to prepare execution graph: values need each other: {}", list.join(", ")),
            )
            .help("give one of them a value that needs no other");
            for member in members.iter().take(4) {
                problem = problem.at(member.span(), "a part of the circle");
            }
            problems.push(problem);
        }
    }
    let mut asked = Asked::default();
    for index in components.into_iter().flatten() {
        match graph[index] {
            Vertex::Local(local) => {
                let (value, usage) = local_value(local, globals, is_broken, problems);
                globals.locals.insert(Arc::from(local.name.as_str()), (value, usage));
            }
            Vertex::Data(data) => {
                let (value, usage) = data_value(data, known, catalog, globals, &mut asked, problems);
                let all = globals.data.get_or_insert_default();
                let of_kind = all.entry(Arc::from(data.label(0))).or_default();
                of_kind.insert(Arc::from(data.label(1)), (value, usage));
            }
        }
    }
    asked
}

fn local_value(
    local: &LocalDeclaration,
    globals: &Globals,
    names_are_broken: bool,
    problems: &mut Diagnostics,
) -> (Value, Usage) {
    with_scope(globals, None, BuildValues::None, &[], |scope| {
        let mut own = Diagnostics::default();
        let value = evaluate(&local.value, local.file, scope, &mut own);
        // A value that failed is unknown to those that use it, so what they say comes from themselves; but names
        // that are missing or go in circles are missing here too.
        if !names_are_broken || !own.has_errors() {
            problems.extend(own);
        }
        let mut usage = scope.take_usage();
        usage.reads_sensitive |= local.is_sensitive;
        (value, usage)
    })
}

fn data_value(
    data: &Declaration,
    known: &Answers,
    catalog: &dyn Catalog,
    globals: &Globals,
    asked: &mut Asked,
    problems: &mut Diagnostics,
) -> (Value, Usage) {
    let (kind, name) = (data.label(0).to_owned(), data.label(1).to_owned());
    let errors = problems.errors_found();
    let (options, usage) = with_scope(globals, None, BuildValues::None, &[], |scope| {
        let value = body_value(&data.block.body, &mut |expression| evaluate(expression, data.file, scope, problems));
        (value, scope.take_usage())
    });
    if problems.errors_found() > errors {
        return (Value::DYNAMIC, usage);
    }
    let mut node = DataSource {
        id: NodeId::of_data(&kind, &name),
        component: Arc::from(kind.as_str()),
        title: format!("ask {kind}"),
        needs: usage.data.iter().map(|(kind, name)| NodeId::of_data(kind, name)).collect(),
        asked: None,
    };
    if kind == NULL {
        let input = match &options {
            Value::Object(members) => {
                for name in members.keys().filter(|name| name.as_ref() != "input") {
                    problems.push(
                        Diagnostic::error(
                            "rpk::hcl::unsupported_argument",
                            format!("unsupported argument: data source `null` has no argument `{name}`"),
                        )
                        .at(data.header(), "in this block")
                        .help("it takes `input` and gives the same as `output`"),
                    );
                }
                members.get("input").cloned()
            }
            _ => None,
        };
        node.title = "give back what it is given".to_owned();
        node.asked = Some(Duration::ZERO);
        asked.data.push(node);
        let output = input.unwrap_or(Value::Null(crate::expression::types::Type::Dynamic));
        return (Value::object([(Arc::from("output"), output)]), usage);
    }
    let title = |settings: &Settings| {
        let spec = catalog.find(ComponentKind::DataSource, &kind)?;
        spec.describe.as_ref().map(|describe| describe(settings, Moment::Run))
    };
    let settings = checked(data, catalog, globals, problems);
    node.title = settings.as_ref().and_then(title).unwrap_or(node.title);
    let answer = known.get(&(kind.clone(), name.clone()));
    node.asked = answer.map(|answer| answer.took);
    asked.data.push(node);
    if let Some(answer) = answer {
        return (answer.value.clone(), usage);
    }
    if let Some(settings) = settings
        && options.is_wholly_known()
    {
        asked.requests.push(DataRequest { kind, name, settings, span: data.header() });
    }
    (Value::DYNAMIC, usage)
}

/// Checks the options of a data source against its table; none if they are wrong.
fn checked(
    data: &Declaration,
    catalog: &dyn Catalog,
    globals: &Globals,
    problems: &mut Diagnostics,
) -> Option<Settings> {
    let spec = catalog.find(ComponentKind::DataSource, data.label(0))?;
    let body = ComponentBody {
        parts: vec![(data.file, Arc::new(data.block.body.clone()))],
        iterators: Vec::new(),
        reserved: &[],
        overrides: None,
        overrides_span: None,
    };
    let errors = problems.error_count();
    let settled = body.settle(spec, globals, &Place::default(), None, problems);
    let settings = decode(spec, &settled.options, data.header(), Decoding::Strict, problems);
    (problems.error_count() == errors).then_some(settings)
}

/// Evaluates a body whose options nobody here knows: attributes by name, blocks as lists of objects.
fn body_value(body: &Body, evaluate: &mut dyn FnMut(&Expression) -> Value) -> Value {
    let mut members: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for attribute in body.attributes() {
        members.insert(Arc::from(attribute.name.text.as_str()), evaluate(&attribute.value));
    }
    let mut blocks: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for block in body.blocks() {
        let value = body_value(&block.body, evaluate);
        blocks.entry(Arc::from(block.kind.text.as_str())).or_default().push(value);
    }
    members.extend(blocks.into_iter().map(|(kind, items)| (kind, Value::tuple(items))));
    Value::object(members)
}

/// Names the vertex that a traversal leads to, if it leads to one.
fn vertex_name(traversal: &Traversal) -> Option<String> {
    let step = |index: usize| match traversal.steps.get(index).map(|step| &step.kind) {
        Some(StepKind::Attribute(name) | StepKind::Key(name)) => Some(name.as_str()),
        _ => None,
    };
    match traversal.root.text.as_str() {
        "local" => Some(format!("local.{}", step(0)?)),
        "data" => Some(format!("data.{}.{}", step(0)?, step(1)?)),
        _ => None,
    }
}

/// Refuses `data` without type and name, where Packer crashes.
fn whole_namespace(traversal: &Traversal, file: FileId) -> Diagnostic {
    Diagnostic::error("rpk::hcl::whole_namespace", "a data source needs its type and its name")
        .at(place(file, traversal.root.span), "expected `data.TYPE.NAME`")
}

fn missing<'a>(name: &str, traversal: &Traversal, file: FileId, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let what = if name.starts_with("local.") { "local value" } else { "data source" };
    let mut problem = Diagnostic::error(
        "rpk::hcl::missing_value",
        format!("failed to prepare execution graph: there is no {what} `{name}`"),
    )
    .at(place(file, traversal.root.span), "used here");
    problem.help = closest(name, known).map(|close| format!("did you mean `{close}`?"));
    problem
}
