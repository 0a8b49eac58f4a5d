//! What the tests of HCL2's syntax share: texts, and mutations of them.

pub mod mutate;

/// Texts that touch most rules, each small, so that mutations of them often stay valid.
pub const SEEDS: &[&str] = &[
    "a=1\nbb   =   2   # c\nccc = 3 // d\n\n/* e */ d = \"x\"\n",
    "b \"l\" m {\n  x = [1,2, 3]\n  y { z = -1 }\n\n}\n",
    "o = { a = 1, \"b\": 2, (c) = f(x, y...), d.e : [for k, v in m: v if k != \"q\"] }\n",
    "p = {for k, v in m : k => v... if v > 1}\nq = a ? b : c ? d : !e\n",
    "t = \"a ${ b } c %{ if d ~} e %{ else }f%{ endif } $${g} %%{h} \\n $ % $$\"\n",
    "h = <<EOF\n  one ${two}\n%{ for x in y ~}\n three\n  %{ endfor }\nEOF\ni = <<-E\n    a\n\n      b\n   E\n",
    "l = x.y[0].z[\"k\"][w].0.v\nm = x.*.y.0.z[1]\nn = f(x)[*].y[0][z].*.q\n",
    "r = 1 + 2 * -3 / 4 % 5 - 6 == 7 && 8 <= 9 || !true\ns = (\n1\n+\n2\n)\n",
    "u = ns::f(\n  1, # one\n  [\n  2,\n],\n)\nv = [\n{\na=1\nb=2\n}, {c=3}\n]\n",
    "w = \"${ { a = 1 } }${[1]}\"\nx = \"%{for k, v in m}${k}=${v}%{endfor}\"\n",
    "é = 1\n日本 = 2e5\nabc = 3.25 # ü\nd-e_f = null\n",
    "locals {\r\n  a = 1\r\n  bb = <<X\r\n y\r\nX\r\n}\r\n",
    "y = [<<A\n a\nA\n, <<-B\n  $b\n  ${c ~}\n d\n  B\n]\n",
    "variable \"v\" {\n  type = map(number)\n  default = { a = 1 }\n  validation {\n    condition = length(var.v) > 0\n    error_message = \"No.\"\n  }\n}\n",
    "locals {\n  a = [for k, v in { x = 1, y = \"2\" } : \"${k}${v}\" if v > 1]\n  b = merge({}, local.a[0] == \"y2\" ? { c = 1 } : { d = 2 })\n}\n",
    "locals {\n  c = format(\"%5.2f|%s|%q\", 1.5, upper(\"é\"), [1][0])\n  d = try(regex(\"(a)|b\", \"b\"), substr(\"abc\", -2, 1), null)\n  e = jsondecode(\"{\\\"k\\\": [1e3, null]}\")\n}\n",
    "source \"qemu\" \"a\" {\n  x = source.name\n  y {\n    z = [1]\n  }\n}\nbuild {\n  sources = [\"qemu.a\"]\n  dynamic \"provisioner\" {\n    for_each = [1, 2]\n    labels = [\"ansible\"]\n    content {\n      w = \"${provisioner.value} ${build.ID}\"\n    }\n  }\n  post-processors {\n    post-processor \"vagrant\" {}\n  }\n}\n",
    "z = a.b.c - -1\naa = [for x in [1]: x]\nbb = in [1]\ncc = a < b ? [] : {}\n",
];

/// Returns the seeds with names.
pub fn corpus() -> Vec<(String, String)> {
    SEEDS.iter().enumerate().map(|(index, text)| (format!("seed {index}"), (*text).to_owned())).collect()
}
