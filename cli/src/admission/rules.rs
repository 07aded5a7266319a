//! The CEL rules of a definition, evaluated as they are written.
//!
//! The library compiles a pattern each time `matches` is called. As an API server does, a pattern that is a
//! literal is compiled once instead: in the compiled rule its place is taken by a variable that is bound to
//! the compiled pattern, and `matches` has an overload for it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, LiteralValue};
use cel::common::types::{CelBool, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use cel::parser::Expression;
use cel::{Context, DeclarationError, Env, ExecutionError, extensions};
use regex::Regex;
use serde_json::Value;

use super::Refusal;
use super::node::Node;
use super::path::{Broken, Path};

/// A rule of `x-kubernetes-validations`.
pub(super) struct Rule {
    expression: Expression,
    message: String,
    /// The field it is about, below the value it stands on: `.values`, or empty.
    field_path: String,
    /// Whether it compares with the old value, so that it holds of updates only.
    is_transition: bool,
}

/// The functions that rules may call, and the patterns of all rules.
pub(super) struct Engine {
    env: Arc<Env>,
    patterns: Vec<Pattern>,
}

impl Engine {
    pub(super) fn new() -> Result<Self, DeclarationError> {
        let mut env = Env::stdlib();
        env.add_extension(extensions::strings)?;
        env.add_type(PATTERN.to_owned())?;
        let pattern = || vec![PATTERN.to_owned()];
        env.add_member_overload("matches", "string.matches(pattern)", STRING_TYPE, pattern(), matches)?;
        Ok(Self { env: Arc::new(env), patterns: Vec::new() })
    }

    /// Compiles a rule as it stands in a schema.
    pub(super) fn compile(&mut self, rule: &Value) -> Result<Rule, String> {
        let source = rule["rule"].as_str().unwrap_or_default();
        let problem = |error: String| format!("the rule {source}: {error}");
        for keyword in rule.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !["rule", "message", "fieldPath", "reason"].contains(&keyword.as_str()) {
                return Err(problem(format!("it has {keyword}")));
            }
        }
        let mut expression = self.env.parser().parse(source).map_err(|error| problem(error.to_string()))?;
        let is_transition = expression.references().has_variable("oldSelf");
        self.take_patterns(&mut expression).map_err(problem)?;
        let message = rule["message"].as_str().ok_or_else(|| problem("it has no message".to_owned()))?;
        let field_path = rule["fieldPath"].as_str().unwrap_or_default();
        Ok(Rule { expression, message: message.to_owned(), field_path: field_path.to_owned(), is_transition })
    }

    /// Evaluates the rules of `node` and of everything below it, where the schema is not violated.
    pub(super) fn check(
        &self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        path: &mut Path,
        broken: &Broken,
        refusals: &mut Vec<Refusal>,
    ) {
        if broken.is(path) {
            return;
        }
        if !node.rules.is_empty() && !broken.contains(path) {
            self.check_here(node, value, old, path, refusals);
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if let Some(below) = node.property(name) {
                        let old = old.and_then(|old| old.get(name));
                        path.field(name, |path| self.check(below, value, old, path, broken, refusals));
                    }
                }
            }
            Value::Array(items) => {
                // Which item was which is not known of a list, so nothing in it is compared with the old one.
                for (index, item) in items.iter().enumerate() {
                    if let Some(below) = &node.items {
                        path.item(index, |path| self.check(below, item, None, path, broken, refusals));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn check_here(
        &self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        path: &Path,
        refusals: &mut Vec<Refusal>,
    ) {
        let scope = Scope {
            this: bind(node, value),
            old: old.filter(|_| node.rules.iter().any(|rule| rule.is_transition)).map(|old| bind(node, old)),
            patterns: &self.patterns,
        };
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(&scope);
        for rule in node.rules.iter().filter(|rule| scope.old.is_some() || !rule.is_transition) {
            let outcome = cel::Value::resolve_val(&rule.expression, &context)
                .map(|outcome| outcome.downcast_ref::<CelBool>().map(|holds| *holds.inner()));
            let message = match outcome {
                Ok(Some(true)) => continue,
                Ok(Some(false)) => rule.message.clone(),
                Ok(None) => format!("{} (the rule is neither true nor false)", rule.message),
                Err(error) => format!("{} (the rule cannot be evaluated: {error})", rule.message),
            };
            let fix = rule.message.split_once(": ").map_or(rule.message.as_str(), |(_, fix)| fix);
            refusals.push(Refusal {
                field: format!("{}{}", path.as_str(), rule.field_path),
                message,
                fix: fix.to_owned(),
            });
        }
    }

    /// Puts variables in the place of the literal patterns of `matches`, anywhere in the expression.
    fn take_patterns(&mut self, expression: &mut Expression) -> Result<(), String> {
        match &mut expression.expr {
            Expr::Call(call) => {
                if let Some(target) = &mut call.target {
                    self.take_patterns(target)?;
                }
                if let ("matches", Some(_), [argument]) =
                    (call.func_name.as_str(), &call.target, call.args.as_mut_slice())
                    && let Expr::Literal(LiteralValue::String(pattern)) = &argument.expr
                {
                    argument.expr = Expr::Ident(self.pattern(pattern.inner())?);
                }
                call.args.iter_mut().try_for_each(|argument| self.take_patterns(argument))
            }
            Expr::Comprehension(comprehension) => {
                let parts = comprehension.as_mut();
                [&mut parts.iter_range, &mut parts.accu_init, &mut parts.loop_cond]
                    .into_iter()
                    .chain([&mut parts.loop_step, &mut parts.result])
                    .try_for_each(|part| self.take_patterns(part))
            }
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.take_patterns(element)),
            Expr::Select(select) => self.take_patterns(&mut select.operand),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.take_patterns(&mut entry.key).and_then(|()| self.take_patterns(&mut entry.value))
                }
                EntryExpr::StructField(field) => self.take_patterns(&mut field.value),
            }),
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => Ok(()),
        }
    }

    /// The variable that is bound to the pattern.
    fn pattern(&mut self, pattern: &str) -> Result<String, String> {
        if let Some(operator) = SET_OPERATORS.iter().find(|operator| pattern.contains(*operator)) {
            return Err(format!("{operator} in a pattern means something else to an API server"));
        }
        let known = self.patterns.iter().position(|known| known.0.as_str() == pattern);
        let index = match known {
            Some(index) => index,
            None => {
                self.patterns.push(Pattern(Regex::new(pattern).map_err(|error| error.to_string())?));
                self.patterns.len() - 1
            }
        };
        Ok(format!("{PATTERN_VARIABLE}{index}"))
    }
}

/// Operators of sets in the brackets of a pattern: to RE2, which an API server has, they are characters.
const SET_OPERATORS: [&str; 3] = ["--", "&&", "~~"];

const PATTERN_VARIABLE: &str = "__pattern_";

/// The variables of one evaluation.
struct Scope<'v> {
    this: Box<dyn Val + 'v>,
    old: Option<Box<dyn Val + 'v>>,
    patterns: &'v [Pattern],
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "self" => Some(CowVal::Borrowed(self.this.as_ref())),
            "oldSelf" => self.old.as_ref().map(|old| CowVal::Borrowed(old.as_ref())),
            _ => {
                let index: usize = variable.strip_prefix(PATTERN_VARIABLE)?.parse().ok()?;
                self.patterns.get(index).map(|pattern| CowVal::Borrowed(pattern))
            }
        }
    }
}

/// A value as rules see it. A text is not copied.
fn bind<'v>(node: &Node, value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        other => {
            let value: Result<Box<dyn Val>, _> = converted(node, other).try_into();
            value.unwrap_or_else(|_| Box::new(cel::common::types::CelNull))
        }
    }
}

fn converted(node: &Node, value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => cel::Value::Int(number),
            (None, Some(float)) if node.type_name == "integer" => cel::Value::Int(float as i64),
            (None, float) => cel::Value::Float(float.unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Array(items) => {
            let items: Vec<cel::Value> =
                items.iter().filter_map(|item| Some(converted(node.items.as_ref()?, item))).collect();
            cel::Value::from(items)
        }
        Value::Object(fields) => {
            let fields: HashMap<String, cel::Value> = fields
                .iter()
                .filter_map(|(name, value)| {
                    let is_field = node.properties.iter().any(|(known, _)| known == name);
                    let key = if is_field { escaped(name) } else { name.clone() };
                    Some((key, converted(node.property(name)?, value)))
                })
                .collect();
            cel::Value::from(fields)
        }
    }
}

/// A field's name as rules write it: some names cannot stand there (Kubernetes, "Validation rules").
fn escaped(name: &str) -> String {
    const RESERVED: [&str; 20] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
    ];
    if RESERVED.contains(&name) || name == "while" {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

/// A compiled pattern as a value.
#[derive(Clone, Debug)]
struct Pattern(Regex);

static PATTERN: Type = Type::new_unspecified_type("pattern");

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN
    }

    fn cel_type() -> &'static Type {
        &PATTERN
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = arguments.as_slice() else {
        return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
    };
    match (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<Pattern>()) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(pattern.0.is_match(text.inner())))),
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}
