//! The syntax tree: what stands in a file, every node with its place.
//!
//! The tree says what was written, not what it means: numbers keep their text, and a name in front of `=` in an
//! object is a name. Two things are decided here all the same, because they depend on tokens that the tree no longer
//! has: escapes are resolved, and `~` and `<<-` have taken their white space away.
//!
//! Where the parser met a mistake it leaves [`ExpressionKind::Invalid`], so that what surrounds it can be used.

use super::token::Span;

/// What stands in a file, or between the braces of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// Attributes and blocks in the order of the text; attribute names are unique.
    pub items: Vec<Item>,
    /// The whole file, or the text between the braces.
    pub span: Span,
}

impl Body {
    /// Iterates over the attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.items.iter().filter_map(|item| match item {
            Item::Attribute(attribute) => Some(attribute),
            Item::Block(_) => None,
        })
    }

    /// Iterates over the blocks.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|item| match item {
            Item::Attribute(_) => None,
            Item::Block(block) => Some(block),
        })
    }

    /// Returns the attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes().find(|attribute| attribute.name.text == name)
    }
}

/// An attribute or a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `name = value`.
    Attribute(Attribute),
    /// `kind "label" { … }`.
    Block(Block),
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// `name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: Identifier,
    /// The value.
    pub value: Expression,
    /// From the name to the end of the value.
    pub span: Span,
}

/// `kind "label" label { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The first word.
    pub kind: Identifier,
    /// The words after it, quoted or not.
    pub labels: Vec<Label>,
    /// What stands between the braces.
    pub body: Body,
    /// From the first word to the closing brace.
    pub span: Span,
    /// From the first word to before the opening brace.
    pub header: Span,
}

/// A label of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text, escapes resolved.
    pub text: String,
    /// Its place, quotes included.
    pub span: Span,
    /// Whether it stands in quotes.
    pub is_quoted: bool,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// `null`, `true`, `12.5`.
    Literal(Literal),
    /// `"text ${value}"`, or a heredoc.
    Template(Template),
    /// `var.image.tags[0]`: a variable and constant steps into it.
    Traversal(Traversal),
    /// `f(x).a[0]`: constant steps into something else.
    RelativeTraversal(Box<RelativeTraversal>),
    /// `list[key]` with a key that is no constant.
    Index(Box<Index>),
    /// `list.*.a` or `list[*].a`.
    Splat(Box<Splat>),
    /// In [`Splat::each`]: the element at hand.
    SplatItem,
    /// `f(x, y...)`.
    Call(Call),
    /// `-x`, `!x`.
    Unary(Box<Unary>),
    /// `a + b - c`.
    Binary(Box<Binary>),
    /// `if ? then : otherwise`.
    Conditional(Box<Conditional>),
    /// `[a, b]`.
    Tuple(Vec<Expression>),
    /// `{ a = 1, "b" : 2 }`.
    Object(Vec<ObjectItem>),
    /// `[for x in list : x]`.
    ForTuple(Box<For>),
    /// `{for k, v in map : k => v}`.
    ForObject(Box<For>),
    /// `(x)`.
    Parentheses(Box<Expression>),
    /// Something that could not be read; an error says why.
    Invalid,
}

/// A constant without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written: digits, perhaps a point and digits, perhaps an exponent.
    Number(String),
}

/// A variable and constant steps into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Traversal {
    /// The variable.
    pub root: Identifier,
    /// The steps, perhaps none.
    pub steps: Vec<Step>,
}

/// Constant steps into a value.
#[derive(Clone, Debug, PartialEq)]
pub struct RelativeTraversal {
    /// The value.
    pub source: Expression,
    /// The steps, at least one.
    pub steps: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where to.
    pub kind: StepKind,
    /// Its place, from the dot or the bracket.
    pub span: Span,
}

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// `.name`.
    Attribute(String),
    /// `[0]`, `[true]`, or the old form `.0`.
    Index(Literal),
    /// `["key"]`.
    Key(String),
}

/// `collection[key]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// What is looked into.
    pub collection: Expression,
    /// What is looked for.
    pub key: Expression,
}

/// `source.*…` or `source[*]…`.
#[derive(Clone, Debug, PartialEq)]
pub struct Splat {
    /// The list.
    pub source: Expression,
    /// What is taken of each element, with [`ExpressionKind::SplatItem`] for the element.
    pub each: Expression,
    /// Whether it was written `[*]`; a `.*` takes attributes only, and an index after it is an index of the result.
    pub is_full: bool,
    /// The place of `.*` or `[*]`.
    pub marker: Span,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name; parts of a qualified one are joined by `::`.
    pub name: Identifier,
    /// The arguments.
    pub arguments: Vec<Expression>,
    /// Whether `...` spreads the last argument.
    pub spreads_last: bool,
}

/// An operator before its operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// The operator.
    pub operator: UnaryOperator,
    /// Its place.
    pub operator_span: Span,
    /// The operand.
    pub operand: Expression,
}

/// The operators that stand before their operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`.
    Negate,
    /// `!`.
    Not,
}

/// Operators of one precedence, to be applied from left to right.
///
/// A chain and no tree, so that a thousand strings in a sum are no thousand levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The first operand.
    pub first: Expression,
    /// The operators and their right operands, at least one.
    pub rest: Vec<BinaryStep>,
}

/// An operator and its right operand.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryStep {
    /// The operator.
    pub operator: BinaryOperator,
    /// Its place.
    pub operator_span: Span,
    /// The right operand.
    pub operand: Expression,
}

/// The operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `||`.
    Or,
    /// `&&`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

/// `condition ? then : otherwise`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// What decides.
    pub condition: Expression,
    /// The value if it holds.
    pub then: Expression,
    /// The value if not.
    pub otherwise: Expression,
}

/// `key = value` in an object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectItem {
    /// The key.
    pub key: ObjectKey,
    /// The value.
    pub value: Expression,
}

/// A key of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectKey {
    /// A bare word, which stands for itself: also `null`, `true` and `false`.
    Name(Identifier),
    /// Anything else; a word in parentheses is a variable.
    Expression(Expression),
}

/// The inside of `[for …]` and `{for …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The variable for the key or the index, if asked for.
    pub key_variable: Option<Identifier>,
    /// The variable for the value.
    pub value_variable: Identifier,
    /// What is iterated over.
    pub collection: Expression,
    /// The key of each result: in objects only, and always there.
    pub key: Option<Expression>,
    /// The value of each result.
    pub value: Expression,
    /// What decides whether an element takes part.
    pub condition: Option<Expression>,
    /// Whether `...` groups values of equal keys; in objects only.
    pub groups: bool,
}

/// Text with values in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What holds the text together.
    pub delimiter: Delimiter,
    /// The text and the values; no two literals in a row.
    pub parts: Vec<TemplatePart>,
}

impl Template {
    /// Returns the text if the template has no sequences.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TemplatePart::Literal(literal)] => Some(&literal.text),
            _ => None,
        }
    }

    /// Returns the value if the template is nothing but one interpolation, which then keeps its type.
    #[must_use]
    pub fn as_interpolation(&self) -> Option<&Expression> {
        match self.parts.as_slice() {
            [TemplatePart::Interpolation(interpolation)] => Some(&interpolation.value),
            _ => None,
        }
    }
}

/// What holds the text of a template together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// Double quotes.
    Quotes,
    /// `<<EOF`, or `<<-EOF` if it takes the common indentation away.
    Heredoc {
        /// The end marker.
        marker: String,
        /// Whether it was opened by `<<-`.
        is_indented: bool,
    },
    /// Nothing: a text that is a template as a whole.
    Bare,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// Text.
    Literal(TemplateLiteral),
    /// `${value}`.
    Interpolation(Interpolation),
    /// `%{if …}…%{else}…%{endif}`.
    If(Box<TemplateIf>),
    /// `%{for … in …}…%{endfor}`.
    For(Box<TemplateFor>),
}

/// Text in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateLiteral {
    /// The text: escapes resolved, white space trimmed; may be empty.
    pub text: String,
    /// The place of the untrimmed text.
    pub span: Span,
}

/// `${value}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    /// The value.
    pub value: Expression,
    /// From `${` to `}`, with the `~` that were used.
    pub marker: Marker,
}

/// A sequence in a template: its place, and its `~`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marker {
    /// From the opening to the closing brace.
    pub span: Span,
    /// Whether it begins with `~`: white space before it was taken away.
    pub trims_before: bool,
    /// Whether it ends with `~`: white space after it was taken away.
    pub trims_after: bool,
}

/// `%{if condition}…%{else}…%{endif}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateIf {
    /// What decides.
    pub condition: Expression,
    /// The parts if it holds.
    pub then: Vec<TemplatePart>,
    /// The parts if not.
    pub otherwise: Vec<TemplatePart>,
    /// `%{if …}`.
    pub start: Marker,
    /// `%{else}`, if there is one.
    pub middle: Option<Marker>,
    /// `%{endif}`.
    pub end: Marker,
}

/// `%{for key, value in collection}…%{endfor}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateFor {
    /// The variable for the key or the index, if asked for.
    pub key_variable: Option<Identifier>,
    /// The variable for the value.
    pub value_variable: Identifier,
    /// What is iterated over.
    pub collection: Expression,
    /// The parts for each element.
    pub body: Vec<TemplatePart>,
    /// `%{for …}`.
    pub start: Marker,
    /// `%{endfor}`.
    pub end: Marker,
}
