use super::*;

fn found<'t>(pattern: &str, text: &'t str) -> Vec<&'t str> {
    let compiled = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    compiled.regex.find_iter(text).map(|found| found.as_str()).collect()
}

#[test]
fn what_only_re2_reads_is_read() {
    for (pattern, text, expected) in [
        (r"\Q.*\Ea", "x.*a", vec![".*a"]),
        (r"\Qa.", "xa.b", vec!["a."]),
        ("a{,3}", "aa{,3}", vec!["a{,3}"]),
        ("{", "a{b", vec!["{"]),
        (r"[\d-a]+", "1-a", vec!["1-a"]),
        ("[[a]b]", "[b] ab]", vec!["[b]", "ab]"]),
        ("[a&&b]+", "a&b", vec!["a&b"]),
        ("[a-]+", "-a", vec!["-a"]),
        ("[]a]+", "a]", vec!["a]"]),
        (r"\<", "a<", vec!["<"]),
        (r"\w+", "àb", vec!["b"]),
        (r"\b.", "àb", vec!["b"]),
        (r"\d", "1२", vec!["1"]),
        (r"[^\W\d]+", "a1b_", vec!["a", "b_"]),
        (r"(?i)[^a]", "aAb", vec!["b"]),
        ("a(?i)b|C", "aB c", vec!["aB", "c"]),
        ("(?U)a+", "aa", vec!["a", "a"]),
        ("(?U)a+?", "aa", vec!["aa"]),
        ("a(?i)*b", "aab", vec!["aab"]),
        ("(?s-i:.)", "\n", vec!["\n"]),
        (r"\101\x41\x{41}", "AAA", vec!["AAA"]),
        (r"\p{^Greek}", "αa", vec!["a"]),
        (r"\P{^L}", "1a", vec!["a"]),
        ("[[:^alpha:]]", "a1", vec!["1"]),
        ("(?m)^.$", "a\nb", vec!["a", "b"]),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern}");
    }
}

#[test]
fn what_re2_refuses_is_refused() {
    for pattern in [
        "a**",
        "x{2}{3}",
        "a{1001}",
        "(a{500}){3}",
        "*",
        "(*)",
        "|*",
        "(?x)a",
        "(?i-)a",
        "(?u)a",
        "(?=a)",
        r"\1",
        r"\u0041",
        r"\Z",
        r"\C",
        r"\h",
        r"\é",
        r"[\b]",
        "[b-a]",
        "[",
        "[a",
        "(",
        ")",
        "(?P<é>a)",
        "(?P<>a)",
        "(?P<a",
        r"\p{Nope}",
        r"\p{Alphabetic}",
        r"\p",
        "[[:nope:]]",
        r"\x{110000}",
        r"\x4",
        "\\",
        r"\8",
    ] {
        assert!(compile(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn groups_may_have_any_name_even_twice() {
    let names = |pattern: &str| compile(pattern).expect("is a pattern").groups;
    assert_eq!(names("(?P<1>a)(b)(?<x>c)|(?P<x>d)").iter().flatten().collect::<Vec<_>>(), ["1", "x", "x"]);
}
