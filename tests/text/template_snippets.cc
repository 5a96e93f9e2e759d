// SPDX-License-Identifier: Apache-2.0
#include "text/template_snippets.h"

namespace laconic::test {

std::vector<Snippet> snippets() {
  return {
      {"{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 ** 2 }} {{ 2 "
       "** -1 }}",
       "7 3 -4 2 3.5 64 0.5"},
      {"{{ 1e3 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 0.0001 }} {{ "
       "-0.0 }} {{ 100.0 }}",
       "1000.0 1e+16 1.2345678901234568e+17 0.30000000000000004 1e-05 0.0001 -0.0 100.0"},
      {"{{ 5.5 // 2 }} {{ -5.5 % 2 }} {{ 7 % -3 }} {{ 1_000 }} {{ true + 1 }} {{ 3 * 'ab' }} {{ "
       "[1] * 2 }} {{ 'x' * -1 }}",
       "2.0 0.5 -2 1000 2 ababab [1, 1] "},
      {"{{ 1 / 0 }}", std::nullopt},
      {"{{ 1 + 'a' }}", std::nullopt},
      {"{{ 'a' + none }}", std::nullopt},
      {"{{ 'a' ~ none ~ 1 ~ true ~ 1.0 }}", "aNone1True1.0"},
      {"{{ none }} {{ true }} {{ False }} {{ [1, 'a', none, 1.5, true] }} {{ {'a': 1, 'b': [2]} }} "
       "{{ (1,) }} {{ (1, 2) }} {{ () }}",
       "None True False [1, 'a', None, 1.5, True] {'a': 1, 'b': [2]} (1,) (1, 2) ()"},
      {R"j({{ ["it's", 'say "x"', "both ' and \"", "\n\t\\", "é😀"] }})j",
       R"j(["it's", 'say "x"', 'both \' and "', '\n\t\\', 'é😀'])j"},
      {R"j({{ "a" "b" }} {{ 'a\tb\x41\u00e9\U0001f600\q' }})j", "ab a\tbAé😀\\q"},
      {"{{ missing }}|{{ missing is defined }}|{{ missing|default('d') }}|{{ empty|default('d', "
       "true) }}",
       "|False|d|d"},
      {"{{ missing.x }}", std::nullopt},
      {"{{ missing['x'] }}", std::nullopt},
      {"{{ user.missing }}|{{ user.name }}|{{ user['name'] }}|{{ none.x }}|{{ text.x }}|{{ items.0 "
       "}}|{{ items.9 }}",
       "|Ann|Ann|||1|"},
      {"{{ missing + 1 }}", std::nullopt},
      {"{{ missing() }}", std::nullopt},
      {"{{ missing == missing2 }} {{ missing == none }} {{ missing|length }} {{ 'a' in missing }} "
       "{{ missing|list }}",
       "True False 0 False []"},
      {"{{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ [1, 2] == [1.0, 2] }} {{ (1,) == [1] }} "
       "{{ {'a': 1} == {'a': 1.0} }}",
       "True True False True False True"},
      {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 != 2 }} {{ 2 >= "
       "2 }}",
       "True False True True True True"},
      {"{{ 1 < 'a' }}", std::nullopt},
      {"{{ none < 1 }}", std::nullopt},
      {"{{ 'a' in 'abc' }} {{ 2 in items }} {{ 'name' in user }} {{ 'z' not in user }} {{ not 'a' "
       "in 'abc' }}",
       "True True True True False"},
      {"{{ 1 in 'abc' }}", std::nullopt},
      {"{{ 0 or 'x' }} {{ 1 and 'y' }} {{ '' or [] }} {{ not [] }} {{ not not 1 }}",
       "x y [] True True"},
      {"{{ 'a' if true else 'b' }} {{ 'a' if false }}|{{ 'a' if false else 'b' if false else 'c' "
       "}}",
       "a |c"},
      {"{{ text[0] }} {{ text[-1] }} {{ text[1:3] }} {{ text[::-1] }} {{ text[:-2] }} {{ "
       "text[5:1:-2] }} {{ items[1:] }} {{ items[::2] }} {{ items[-1] }}",
       "h w el w olleh hello  l [2, 3] [1, 3] 3"},
      {"{{ 'añ😀z'[1:3] }} {{ 'añ😀z'|length }} {{ 'añ😀z'[2] }} {{ 'añ😀z'|reverse }}", "ñ😀 4 😀 z😀ña"},
      {"{{ user[1:] }}", std::nullopt},
      {"{{ items[::0] }}", std::nullopt},
      {"{{ items['a'] }}|{{ user[0] }}|{{ 5[0] }}", "||"},
      {R"j({{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xya'.lstrip('yx') }}|{{ 'a\n\n'.rstrip('\n') }}|{{ ' a'.lstrip() }})j",
       "a b|a|a|a|a"},
      {"{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b "
       "c'.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split(',') }} {{ ''.split() }}",
       "['a', 'b', '', 'c'] ['a', 'b', 'c'] ['a', 'b,c'] ['a', 'b c'] ['a,b', 'c'] [''] []"},
      {"{{ 'a'.split('') }}", std::nullopt},
      {"{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXbX'.replace('X', '--') "
       "}} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '-') }}",
       "True True a--b-- bba -a-b-"},
      {R"j({{ 'hello wORLD'.upper() }} {{ 'Straße'.upper() }} {{ 'ÀB'.lower() }} {{ "it's a dog-day".title() }} {{ 'hELLO'.capitalize() }} {{ "it's a dog-day (x)"|title }} {{ 'hELLO'|capitalize }})j",
       "HELLO WORLD STRASSE àb It'S A Dog-Day Hello It's A Dog-Day (X) Hello"},
      {R"j({{ '-'.join(['a', 'b']) }} {{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.find('z') }} {{ 'banana'.count('an') }} {{ 'a\nb\r\nc'.splitlines() }})j",
       "a-b 2 5 -1 2 ['a', 'b', 'c']"},
      {"{{ '-'.join([1]) }}", std::nullopt},
      {"{{ user.items() }} {{ user.keys() }} {{ user.values() }} {{ user.get('name') }} {{ "
       "user.get('z') }} {{ user.get('z', 5) }}",
       "dict_items([('name', 'Ann'), ('age', 31)]) dict_keys(['name', 'age']) dict_values(['Ann', "
       "31]) Ann None 5"},
      {"{{ user.items()|list }} {{ user|items|list }} {{ user|dictsort }} {{ user|list }} {{ "
       "user|length }}",
       "[('name', 'Ann'), ('age', 31)] [('name', 'Ann'), ('age', 31)] [('age', 31), ('name', "
       "'Ann')] ['name', 'age'] 2"},
      {"{{ items.append(1) }}", std::nullopt},
      {"{{ user.update({}) }}", std::nullopt},
      {"{{ items.append is defined }} {{ user.items is defined }} {{ user.pop is defined }}",
       "False True False"},
      {"{{ items.count(2) }} {{ items.index(3) }}", "1 2"},
      {"{{ items|join }} {{ items|join(', ') }} {{ people|join(',', attribute='name') }} {{ "
       "'abc'|join('-') }}",
       "123 1, 2, 3 Bob,Ann,Cid a-b-c"},
      {"{{ items|first }} {{ items|last }} {{ []|first }}|{{ 'abc'|first }} {{ items|reverse|list "
       "}} {{ 'abc'|list }}",
       "1 3 |a [3, 2, 1] ['a', 'b', 'c']"},
      {"{{ people|map(attribute='name')|list }} {{ people|map(attribute='zip', default='-')|list "
       "}} {{ ['a', 'b']|map('upper')|join }} {{ ['a,b']|map('replace', ',', ';')|list }}",
       "['Bob', 'Ann', 'Cid'] ['-', '-', '-'] AB ['a;b']"},
      {"{{ people|selectattr('age')|map(attribute='name')|list }} {{ people|selectattr('age', "
       "'gt', 20)|list|length }} {{ people|rejectattr('name', 'equalto', "
       "'Bob')|map(attribute='name')|join }} {{ items|select('odd')|list }} {{ "
       "items|reject('odd')|list }} {{ [0, 1, '']|select|list }}",
       "['Bob', 'Cid'] 1 AnnCid [1, 3] [2] [1]"},
      {"{{ people|map(attribute='address.city')|list }}", "['Rom', 'Bern', 'Ulm']"},
      {"{{ items|map(attribute='x')|tojson }}", std::nullopt},
      {"{{ items|sum }} {{ people|sum(attribute='age') }} {{ items|min }} {{ items|max }} {{ ['b', "
       "'A', 'c']|sort }} {{ ['b', 'A']|sort(case_sensitive=true) }} {{ [3, 1, "
       "2]|sort(reverse=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ "
       "['a', 'A', 'b', 1, 1.0]|unique|list }}",
       "6 43 1 3 ['A', 'b', 'c'] ['A', 'b'] [3, 2, 1] ['Ann', 'Cid', 'Bob'] ['a', 'b', 1]"},
      {"{{ []|max }}|{{ ['b', 'A']|min }}|{{ [1, 2, 3, 4, 5]|batch(2)|list }}|{{ [1]|batch(2, "
       "0)|list }}",
       "|A|[[1, 2], [3, 4], [5]]|[[1, 0]]"},
      {"{{ [1, 'a']|sort }}", std::nullopt},
      {"{{ '5'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '3.7'|int }} {{ 3.99|int }} {{ ' 12 "
       "'|int }} {{ none|int }} {{ '2.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ '1e3'|float }}",
       "6 0 7 3 3 12 0 2.5 0.0 3.0 1000.0"},
      {"{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 5|round }} {{ 2.1|round(0, 'ceil') "
       "}} {{ 2.99|round(1, 'floor') }} {{ -3|abs }} {{ -2.5|abs }}",
       "2.0 4.0 2.67 5 3.0 2.9 3 2.5"},
      {"{{ '  x '|trim }}|{{ 'xax'|trim('x') }}|{{ 'aXa'|replace('a', 'b') }}|{{ "
       "'aaa'|replace('a', 'b', 1) }}|{{ 5|string + '!' }}|{{ 'a'|upper }}|{{ 'B'|lower }}",
       "x|a|bXb|baa|5!|A|b"},
      {R"j({{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('--') }})j",
       "a\n    b\n\n    c|  a\n  b|a\n  \n  b|a\n--b"},
      {R"j({{ '<a & "b">'|e }} {{ '<a>'|safe }})j", "&lt;a &amp; &#34;b&#34;&gt; <a>"},
      {R"j({{ user|tojson }} {{ items|tojson }} {{ 'é"\n\\/<>&\u0001\u007f'|tojson }} {{ none|tojson }} {{ 1.0|tojson }} {{ true|tojson }} {{ (1, 2)|tojson }} {{ {1: 2, true: 3, none: 4, 1.5: 5}|tojson }})j",
       "{\"name\": \"Ann\", \"age\": 31} [1, 2, 3] \"é\\\"\\n\\\\/<>&\\u0001\177\" null 1.0 true "
       "[1, 2] {\"1\": 3, \"null\": 4, \"1.5\": 5}"},
      {"{{ user|tojson(indent=2) }}{{ []|tojson(indent=2) }}{{ {}|tojson(indent=2) }}{{ [[1], "
       "{}]|tojson(indent=4) }}{{ user|tojson(separators=(',', ':')) }}{{ {'b': 1, 'a': "
       "2}|tojson(sort_keys=true) }}",
       "{\n  \"name\": \"Ann\",\n  \"age\": 31\n}[]{}[\n    [\n        1\n    ],\n    "
       "{}\n]{\"name\":\"Ann\",\"age\":31}{\"a\": 2, \"b\": 1}"},
      {"{{ missing|tojson }}", std::nullopt},
      {"{{ user.items()|tojson }}", std::nullopt},
      {"{{ 1 is odd }} {{ 2 is even }} {{ 6 is divisibleby 3 }} {{ 'a' is string }} {{ user is "
       "mapping }} {{ items is iterable }} {{ 'a' is iterable }} {{ items is sequence }} {{ user "
       "is sequence }} {{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1.0 is "
       "float }} {{ true is boolean }} {{ none is none }} {{ 1 is not none }} {{ true is true }} "
       "{{ 1 is true }} {{ 5 is in items }} {{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 'a' is lower "
       "}} {{ 'A' is upper }} {{ range is callable }} {{ 5 is iterable }} {{ missing is none }} {{ "
       "missing is iterable }} {{ 3 is gt 2 }}",
       "True True True True True True True True True True True False True True True True True "
       "False False True False True True True False False True True"},
      {"{% if missing %}a{% elif items %}b{% else %}c{% endif %}", "b"},
      {"{% for i in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ "
       "loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem }}{{ loop.nextitem "
       "}},{% endfor %}",
       "10TrueFalse3322,21FalseFalse32113,32FalseTrue3102,"},
      {"{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}undef{% "
       "endfor %}",
       "noneundef"},
      {"{% for k, v in user.items() %}{{ k }}={{ v }};{% endfor %}{% for k in user %}{{ k }}{% "
       "endfor %}{% for c in 'añ' %}{{ c }}.{% endfor %}",
       "name=Ann;age=31;nameagea.ñ."},
      {"{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
      {"{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", std::nullopt},
      {"{% for i in 5 %}x{% endfor %}", std::nullopt},
      {"{% for i in none %}x{% endfor %}", std::nullopt},
      {"{% for i in range(10) if i is odd %}{{ i }}/{{ loop.length }} {% endfor %}",
       "1/5 3/5 5/5 7/5 9/5 "},
      {"{% for i in range(5, 0, -2) %}{{ i }}{% endfor %} {{ range(3)|list }} {{ range(2, 4)[1] }}",
       "531 [0, 1, 2] 3"},
      {"{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break "
       "%}{% endif %}{{ i }}{% endfor %}",
       "0134"},
      {"{% for x in items %}{% for y in items %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ "
       "loop.index }}{{ loop.depth0 }} {% endfor %}",
       "11213110 11213120 11213130 "},
      {"{% set x = 1 %}{% for i in items %}{{ x }}{% set x = i %}{{ x }} {% endfor %}{{ x }}",
       "11 12 13 1"},
      {"{% set ns = namespace(a=1, b='x') %}{% for i in items %}{% set ns.a = ns.a + i %}{% endfor "
       "%}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns.c is defined }}",
       "7x|False"},
      {"{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}", "12(1, 2)"},
      {"{% set b %}block {{ 1 }}{% endset %}[{{ b }}]{% set c | upper %}x{% endset %}{{ c }}",
       "[block 1]X"},
      {"{% if true %}{% set x = 5 %}{% endif %}{{ x }}{% with y = 6 %}{{ y }}{% set x = 7 %}{% "
       "endwith %}{{ x }}{{ y }}",
       "565"},
      {"{% set undefinedns.x = 1 %}", std::nullopt},
      {"{% macro f(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} "
       "{{ f(b=1, a=0) }} {{ f() }}",
       "1-2-1 1-2-3 0-1-0 -2-"},
      {"{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", std::nullopt},
      {"{% macro f(a) %}{{ a }}{% endmacro %}{{ f(z=1) }}", std::nullopt},
      {"{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
       "54321"},
      {"{% macro f() %}{{ g() }}{{ late }}{% endmacro %}{% macro g() %}g{% endmacro %}{% set late "
       "= 'L' %}{{ f() }}|{{ f()|upper }}",
       "gL|GL"},
      {"{% macro f() %}{{ i }}{{ loop }}{% endmacro %}{% for i in items %}[{{ f() }}]{% endfor %}",
       "[][][]"},
      {"{% filter upper %}a{{ text }}{% endfilter %}{% filter replace('a', 'b')|upper %}aa{% "
       "endfilter %}",
       "AHELLO WBB"},
      {"{% raw %}{{ x }}{% if %}{% endraw %} a {%- raw -%}  b  {%- endraw %}",
       "{{ x }}{% if %} ab"},
      {"a {# comment #} b {#- trimmed -#} c", "a  bc"},
      {"x  {{- 1 -}}  y", "x1y"},
      {"{{ raise_exception('no') }}", std::nullopt},
      {"{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }}", "{'a': 1, 'b': 2} {'x': 1, 'y': 2}"},
      {"{{ {'a': 1, 'a': 2} }} {{ {} }} {{ [] }} {{ {'a': {'b': 1}}.a.b }}", "{'a': 2} {} [] 1"},
      {"{% generation %}inside {{ 1 }}{% set q = 1 %}{% endgeneration %}{{ q }}", "inside 1"},
      {"{{ items | length > 2 and text | upper == 'HELLO W' }} {{ -1 | abs }} {{ (-1) | abs }} {{ "
       "3 - 1 }} {{ not items is defined }} {{ 'a' ~ 'b' * 2 }}",
       "True 1 1 2 False abb"},
      {R"j({{ text|upper|lower|replace('h', 'j') }} {{ (text|upper).lower() }} {{ items|length - 1 }} {{ items[items|length - 1] }} {{ messages[0].content.split('</think>')[-1] }} {{ (messages[0].content.split('</think>')|first).rstrip('\n') }})j",
       "jello w hello w 2 3 \na q<think>\nr"},
      {R"j({% for m in messages %}{{ m.role }}:{{ m['content'] }}{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %})j",
       "user:q<think>\nr\n</think>\na\nassistant:"},
      {"{% if a is defined and b %}x{% endif %}{% if user.name is defined and user.name == 'Ann' "
       "%}y{% endif %}",
       "y"},
      {"{{ loop }}|{% for x in [1] %}{% for y in [1, 2] if y > x %}{{ y }}{{ loop.length }}{% "
       "endfor %}{% endfor %}",
       "|21"},
      {"{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }} {{ 'a'.isspace() }} {{ ' "
       "'.isspace() }} {{ '12'.isdigit() }}",
       "9223372036854775807 -9223372036854775808 False True True"},
      {"{{ [1, 2, 3]|map('string')|join('+') }} {% set g = [1, 2]|map('string') %}{{ g|join }}{{ "
       "g|join }} {{ [3, 1]|sort|first }} {{ {'b': 2, 'a': 1}|dictsort(by='value', reverse=true) "
       "}}",
       "1+2+3 12 1 [('b', 2), ('a', 1)]"},
      {"{{ [1, 2]|map|list }}", std::nullopt},
      {R"j({{ items|length() }} {{ 'a,b'|replace(',', '\n') }} {{ 'x'|default }} {{ ''|default('e', boolean=true) }} {{ 'abc'|last }} {{ (1, 2)|last }} {{ 'ab' in ['ab'] }})j",
       "3 a\nb x e c 2 True"},
      {"{{ 'a' if }}", std::nullopt},
      {"{{ 1 2 }}", std::nullopt},
      {"{{ (1 }}", std::nullopt},
      {"{{ ] }}", std::nullopt},
      {"{% endif %}", std::nullopt},
      {"{% if 1 %}", std::nullopt},
      {"{% for x %}{% endfor %}", std::nullopt},
      {"{% set true = 1 %}", std::nullopt},
      {"{% break %}", std::nullopt},
      {"{{ 'open }}", std::nullopt},
      {"{# open", std::nullopt},
      {"{{ 1 is odd is even }}", std::nullopt},
      {"{{ f(a=1, 2) }}", std::nullopt},
      {"  {% if true %}  \n  x\n  {% endif %}\n  y{{ ' z' }}  \n", "  \n  x\n  y z  "},
      {"{%- if true -%}   a   {%- endif -%}   b\n\n", "ab\n"},
      {"a\n  {%+ if true %}x{% endif +%}\ny\r\nz\rw", "a\n  x\ny\nz\nw"},
      {"{% for x in items %}\n  {{ x }}\n{% endfor %}\ndone\n", "  1\n  2\n  3\ndone"},
      {"a\n  {# c #}\n  b {# d #}\n\t{% set x = 1 %}\nc{{ x }}\n\n", "a\n  b c1\n"},
      {"{{ 1 }}\n\n{{ 2 }}\n  {{ 3 }}", "1\n\n2\n  3"},
      {"  {% raw %}\n {{ x }}\n  {% endraw %}\n  z", "\n {{ x }}\n  z"},
      {"x\n  {% if true -%}\n  y\n  {%- endif %}\n  z", "x\ny  z"},
      {"{% set a = [\n  1,\n  2,\n] %}{{ a }}{{ {'k':\n1,} }}", "[1, 2]{'k': 1}"},
      {"{{ \"line\nbreak\" }}", "line\nbreak"},
      {"{% if true %}\n{% if true %}\nx\n{% endif %}\n{% endif %}\n{{ 1 }}\n", "x\n1"},
      {" {% if true %}x{% endif %} \n {%- if true %} y{% endif %}", "x y"},
      {"é{{ 'ü' }}{%- if 1 %}ß{% endif -%}\n ö", "éüßö"},
  };
}

nlohmann::ordered_json snippet_context() {
  return nlohmann::ordered_json::parse(
      R"j({"text": "hello w", "items": [1, 2, 3], "user": {"name": "Ann", "age": 31}, "empty": "", "people": [{"name": "Bob", "age": 25, "address": {"city": "Rom"}}, {"name": "Ann", "age": 0, "address": {"city": "Bern"}}, {"name": "Cid", "age": 18, "address": {"city": "Ulm"}}], "messages": [{"role": "user", "content": "q<think>\nr\n</think>\na"}, {"role": "assistant", "content": ""}]})j");
}

}  // namespace laconic::test
