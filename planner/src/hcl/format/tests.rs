//! Layouts, by small cases; `tests/differential.rs` compares many more with HCL itself.

use super::*;

#[test]
fn spaces_follow_the_rules() {
    for (text, expected) in [
        ("f={a=1,b : 2}", "f = { a = 1, b : 2 }"),
        ("empty {   }", "empty {}"),
        ("w = [ ]", "w = []"),
        ("g = foo ( 1 , 2 ... )", "g = foo(1, 2...)"),
        ("n = a :: b (1)", "n = a::b(1)"),
        ("j = a . b [ 0 ] . * . c", "j = a.b[0].*.c"),
        ("l = \"${ x }\"", "l = \"${x}\""),
        ("m = \"%{ if  x }a%{  endif }\"", "m = \"%{if x}a%{endif}\""),
        ("n = \"${{a=1}}\"", "n = \"${ { a = 1 } }\""),
        ("n = \"${a}${b}\"", "n = \"${a}${b}\""),
        ("e = a?b:c", "e = a ? b : c"),
        ("h = [for x in y:x if x>1]", "h = [for x in y : x if x > 1]"),
        ("h = [for x in[y]:x]", "h = [for x in [y] : x]"),
        ("t = [ - 1, -  2 ]", "t = [-1, -2]"),
        ("o = a==-1", "o = a == -1"),
        ("o = a-1", "o = a-1"),
        ("o = a - - 1", "o = a - -1"),
        ("p = \"${-1}\"", "p = \"${- 1}\""),
        ("q = ! ( a )", "q = !(a)"),
        ("b   \"x\"   {a=1}", "b \"x\" { a = 1 }"),
    ] {
        assert_eq!(format(text), expected);
    }
}

#[test]
fn brackets_indent_once_a_line() {
    for (text, expected) in [
        ("e = [\n1,\n    2\n  ]\n", "e = [\n  1,\n  2\n]\n"),
        ("a = [{\nb=1\n}, {\nc=2\n}]\n", "a = [{\n  b = 1\n  }, {\n  c = 2\n}]\n"),
        ("a = f([{\nb=1\n}])\nc=1\n", "a = f([{\n  b = 1\n}])\nc = 1\n"),
        ("a = f([{\nb=1\n}\n]\n)\nc=1\n", "a = f([{\n  b = 1\n  }\n  ]\n)\nc = 1\n"),
        ("d = f(1,\n  2)", "d = f(1,\n2)"),
        ("a {\nb {\n\n\n  c=1\n}\n}\n", "a {\n  b {\n\n\n    c = 1\n  }\n}\n"),
        ("}\n}\na {\nb=1\n}\n", "}\n}\na {\n  b = 1\n}\n"),
    ] {
        assert_eq!(format(text), expected);
    }
}

#[test]
fn equals_signs_and_comments_stand_below_each_other() {
    for (text, expected) in [
        ("a=1\nbb   =   2   # c\nccc = 3 // d\n", "a   = 1\nbb  = 2 # c\nccc = 3 // d\n"),
        ("a = 1\n\nbbb = 2\n# c\ncc = 3\n", "a = 1\n\nbbb = 2\n# c\ncc = 3\n"),
        ("a = 1\nbbb = [\n]\ncc = 3\n", "a = 1\nbbb = [\n]\ncc = 3\n"),
        ("é = 1\n日本 = 2\nabc = 3\n", "é   = 1\n日本  = 2\nabc = 3\n"),
        ("क्षि = 1\nabc = 2\n", "क्षि  = 1\nabc = 2\n"),
        ("a = 1 /* c */\n/* lead */ b = 2\n", "a            = 1 /* c */\n/* lead */ b = 2\n"),
        (
            "c { # h\n  a = 1\n} # end\nd = [ # c\n  1, # one\n  222, # two\n]\n",
            "c { # h\n  a = 1\n}      # end\nd = [  # c\n  1,   # one\n  222, # two\n]\n",
        ),
        ("x = {\n  \"a\" : 1,\n  bbbb : 2\n  cc = 3\n}\n", "x = {\n  \"a\" : 1,\n  bbbb : 2\n  cc = 3\n}\n"),
    ] {
        assert_eq!(format(text), expected);
    }
}

#[test]
fn heredocs_keep_their_lines() {
    for (text, expected) in [
        ("x = <<EOF\n   q ${ f( 1,2 ) }\nEOF\nyy = 1\n", "x  = <<EOF\n   q ${f(1, 2)}\nEOF\nyy = 1\n"),
        ("inline = [\n<<-EOT\n  foo\nEOT\n,\n\"x\"\n]\n", "inline = [\n  <<-EOT\n  foo\nEOT\n  ,\n  \"x\"\n]\n"),
        ("b {\na = <<A\n x\n  A\n}\n", "b {\n  a = <<A\n x\n  A\n}\n"),
    ] {
        assert_eq!(format(text), expected);
    }
}

#[test]
fn line_ends_stay_as_they_are() {
    for (text, expected) in [
        ("", ""),
        ("a=1", "a = 1"),
        ("a=1  \r\nbb=2\r\n", "a  = 1\r\nbb = 2\r\n"),
        ("a = 1\n  ", "a = 1\n  "),
        ("   \n\t# c\n", "\n# c\n"),
        ("\u{feff}a=1\n", "a = 1\n"),
        ("\u{feff}", "   "),
    ] {
        assert_eq!(format(text), expected, "{text:?}");
    }
}
