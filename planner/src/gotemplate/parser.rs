//! The parser: tokens in, trees out. It knows which functions and variables exist, and stops at the first mistake.
//!
//! Blocks and parentheses may nest [`MAX_NESTING`] deep; the parser, the executor and the drop of a tree all recurse
//! along them.

mod expression;

use std::collections::BTreeMap;

use super::MAX_NESTING;
use super::ast::{Branch, Node, Place, RangeLoop, TemplateCall};
use super::error::{ParseError, line_and_column};
use super::lexer::{Kind, Token, Tokens, lex};
use super::quote;

/// The templates that a text holds, by name; the text's own is one of them.
pub(super) type Trees = BTreeMap<String, Vec<Node>>;

/// Parses `text`.
pub(super) fn parse(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Trees, ParseError> {
    let mut parser = Parser {
        name,
        text,
        tokens: lex(text),
        cursor: 0,
        depth: 0,
        frame: Frame::default(),
        trees: Trees::new(),
        is_function,
    };
    parser.frame.variables.push("$".into());
    match parser.parse_root() {
        Ok(root) => parser.add(name.to_owned(), root).map(|()| parser.trees).map_err(|error| *error),
        Err(error) => Err(*error),
    }
}

struct Parser<'t> {
    name: &'t str,
    text: &'t str,
    tokens: Tokens,
    cursor: usize,
    depth: usize,
    frame: Frame,
    trees: Trees,
    is_function: &'t dyn Fn(&str) -> bool,
}

/// What belongs to one of the templates in a text.
#[derive(Default)]
struct Frame {
    variables: Vec<String>,
    /// How many `range` loops are open.
    ranges: usize,
    /// The start of the action being read.
    action: Option<usize>,
    /// The last token looked at: errors name its line.
    seen: usize,
}

/// What a list of nodes ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn describe(self) -> &'static str {
        match self {
            Ending::End => "{{end}}",
            Ending::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    Ending(Ending),
}

type Parsed<T> = Result<T, Box<ParseError>>;

impl Parser<'_> {
    fn peek(&mut self) -> Token {
        // The last token is an end or an error, and stays.
        let index = self.cursor.min(self.tokens.list.len() - 1);
        self.frame.seen = self.frame.seen.max(index);
        self.tokens.list[index]
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.cursor += 1;
        token
    }

    fn peek_non_space(&mut self) -> Token {
        loop {
            let token = self.peek();
            if token.kind != Kind::Space {
                return token;
            }
            self.cursor += 1;
        }
    }

    fn next_non_space(&mut self) -> Token {
        let token = self.peek_non_space();
        self.cursor += 1;
        token
    }

    fn value(&self, token: Token) -> &str {
        &self.text[token.start..token.end]
    }

    /// The end of the last token taken.
    fn end(&self) -> usize {
        self.cursor.checked_sub(1).and_then(|index| self.tokens.list.get(index)).map_or(0, |token| token.end)
    }

    fn place_from(&self, start: usize) -> Place {
        Place { position: start, span: start..self.end().max(start) }
    }

    fn line_of(&self, offset: usize) -> usize {
        line_and_column(self.text, offset).0
    }

    fn fail<T>(&self, at: Token, detail: impl Into<String>) -> Parsed<T> {
        let seen = self.tokens.list[self.frame.seen].start;
        Err(Box::new(ParseError {
            name: self.name.into(),
            line: self.line_of(seen),
            column: line_and_column(self.text, at.start).1,
            detail: detail.into(),
            span: at.start..at.end,
        }))
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Parsed<T> {
        let described = token.describe(self.text, &self.tokens.error);
        if token.kind != Kind::Error {
            return self.fail(token, format!("unexpected {described} in {context}"));
        }
        let started = self.frame.action.map(|start| self.line_of(start));
        let extra = match started {
            Some(line) if line != self.line_of(token.start) => {
                // "unclosed action" has the word already.
                let words = if described.ends_with(" action") { " started at" } else { " in action started at" };
                format!("{words} {}:{line}", self.name)
            }
            _ => String::new(),
        };
        self.fail(token, described + &extra)
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(token, context) }
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, at: Token, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return self.fail(at, "max expression depth exceeded");
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Runs `inner` as a template of its own, which sees no variables of the one around it.
    fn in_frame<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let frame = Frame { variables: vec!["$".into()], seen: self.frame.seen, ..Frame::default() };
        let outer = std::mem::replace(&mut self.frame, frame);
        let result = inner(self)?;
        self.frame = outer;
        Ok(result)
    }

    fn add(&mut self, name: String, nodes: Vec<Node>) -> Parsed<()> {
        match self.trees.get(&name) {
            Some(old) if !is_empty(old, self.text) => {
                if !is_empty(&nodes, self.text) {
                    let at = self.tokens.list[self.frame.seen];
                    let name = quote::quote(&name);
                    return self.fail(at, format!("template: multiple definition of template {name}"));
                }
            }
            _ => {
                self.trees.insert(name, nodes);
            }
        }
        Ok(())
    }

    fn parse_root(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                return Ok(nodes);
            }
            if token.kind == Kind::LeftDelim {
                let start = self.cursor;
                self.cursor += 1;
                if self.next_non_space().kind == Kind::Define {
                    self.in_frame(Self::definition)?;
                    continue;
                }
                self.cursor = start;
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    return self.fail(token, format!("unexpected {}", ending.describe()));
                }
            }
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let nodes = self.list_until_end(CONTEXT)?;
        self.add(name, nodes)
    }

    fn list_until_end(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let (nodes, ending) = self.item_list()?;
        if ending != Ending::End {
            let at = self.tokens.list[self.frame.seen];
            return self.fail(at, format!("unexpected {} in {context}", ending.describe()));
        }
        Ok(nodes)
    }

    fn template_name(&mut self, token: Token, context: &str) -> Parsed<String> {
        match token.kind {
            Kind::String | Kind::RawString => {
                quote::unquote(self.value(token)).or_else(|message| self.fail(token, message))
            }
            _ => self.unexpected(token, context),
        }
    }

    /// Reads up to the `end` or `else` of the block that is open.
    fn item_list(&mut self) -> Parsed<(Vec<Node>, Ending)> {
        let first = self.peek_non_space();
        self.nested(first, |parser| {
            let mut nodes = Vec::new();
            loop {
                let token = parser.peek_non_space();
                if token.kind == Kind::Eof {
                    return parser.fail(token, "unexpected EOF");
                }
                match parser.text_or_action()? {
                    Item::Node(node) => nodes.push(node),
                    Item::Ending(ending) => return Ok((nodes, ending)),
                }
            }
        })
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.start..token.end))),
            Kind::LeftDelim => {
                self.frame.action = Some(token.start);
                let item = self.action()?;
                self.frame.action = None;
                Ok(item)
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        Ok(Item::Node(match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_control(token, "{{break}}", Node::Break)?,
            Kind::Continue => self.loop_control(token, "{{continue}}", Node::Continue)?,
            Kind::Else => {
                // In `else if` and `else with` the word after `else` is left to the block.
                if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::If => Node::If(self.branch(Kind::If, "if")?),
            Kind::With => Node::With(self.branch(Kind::With, "with")?),
            Kind::Range => self.range()?,
            Kind::Template => self.template_call()?,
            _ => {
                self.cursor -= 1;
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        }))
    }

    fn loop_control(&mut self, word: Token, context: &str, node: Node) -> Parsed<Node> {
        self.expect(Kind::RightDelim, context)?;
        if self.frame.ranges == 0 {
            return self.fail(word, format!("{context} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn branch(&mut self, keyword: Kind, context: &'static str) -> Parsed<Branch> {
        let variables = self.frame.variables.len();
        let mut arms = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let pipeline = self.pipeline(context, Kind::RightDelim)?;
            let (body, ending) = self.item_list()?;
            arms.push((pipeline, body));
            if ending == Ending::End {
                break;
            }
            if self.peek().kind == keyword {
                self.cursor += 1;
                continue;
            }
            otherwise = self.else_list()?;
            break;
        }
        self.frame.variables.truncate(variables);
        Ok(Branch { arms, otherwise })
    }

    fn else_list(&mut self) -> Parsed<Vec<Node>> {
        let (nodes, ending) = self.item_list()?;
        if ending != Ending::End {
            let at = self.tokens.list[self.frame.seen];
            return self.fail(at, format!("expected end; found {}", ending.describe()));
        }
        Ok(nodes)
    }

    fn range(&mut self) -> Parsed<Node> {
        let variables = self.frame.variables.len();
        let pipeline = self.pipeline("range", Kind::RightDelim)?;
        self.frame.ranges += 1;
        let (body, ending) = self.item_list()?;
        self.frame.ranges -= 1;
        let otherwise = if ending == Ending::Else { self.else_list()? } else { Vec::new() };
        self.frame.variables.truncate(variables);
        Ok(Node::Range(RangeLoop { pipeline, body, otherwise }))
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let argument = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let place = self.place_from(token.start);
        let definition = name.clone();
        self.in_frame(|parser| {
            let nodes = parser.list_until_end(CONTEXT)?;
            parser.add(definition, nodes)
        })?;
        Ok(Node::Template(TemplateCall { place, name, argument: Some(argument) }))
    }

    fn template_call(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let argument = if self.peek_non_space().kind == Kind::RightDelim {
            self.cursor += 1;
            None
        } else {
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        let place = self.place_from(token.start);
        Ok(Node::Template(TemplateCall { place, name, argument }))
    }
}

/// Tells whether a template holds nothing but space.
fn is_empty(nodes: &[Node], text: &str) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(range) if text[range.clone()].trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ParseError {
        parse("root", text, &|name| name == "user").expect_err(text)
    }

    #[test]
    fn errors_carry_the_place_to_underline() {
        let text = "a\nb {{ user }}{{ nope 1 }}";
        let error = error(text);
        assert_eq!(error.to_string(), "template: root:2: function \"nope\" not defined");
        assert_eq!(&text[error.span.clone()], "nope");
        assert_eq!((error.line, error.column), (2, 15));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |count: usize| format!("{{{{{}1{}}}}}", "(".repeat(count), ")".repeat(count));
        assert!(parse("root", &deep(MAX_NESTING), &|_| false).is_ok());
        assert_eq!(error(&deep(MAX_NESTING + 1)).detail, "max expression depth exceeded");
        assert_eq!(error(&deep(100_000)).detail, "max expression depth exceeded");
        assert_eq!(error(&"{{if 1}}".repeat(100_000)).detail, "max expression depth exceeded");
    }

    #[test]
    fn long_chains_of_else_if_do_not_nest() {
        let text = format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(10_000));
        assert!(parse("root", &text, &|_| false).is_ok());
    }

    #[test]
    fn definitions_are_templates_of_their_own() {
        let trees = parse("root", "{{define \"a\"}}x{{end}}{{block \"b\" .}}y{{end}}", &|_| false).expect("it parses");
        assert_eq!(trees.keys().collect::<Vec<_>>(), ["a", "b", "root"]);
    }
}
