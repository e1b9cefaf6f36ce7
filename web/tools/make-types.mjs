// `npm run types`: the TypeScript types of messages and HTTP answers, made from the documents in which the server
// describes itself (docs/asyncapi.json, docs/openapi.json). With `--check` nothing is written: exit code 1 says that a
// file is out of date.
//
// json-schema-to-typescript writes a second type wherever a field describes a reference, and the words of a choice at
// every use of it; openapi-typescript needs another TypeScript than ours. The schemas are plain, so this is all it takes.
import { readFileSync, writeFileSync } from 'node:fs';

const web = new URL('..', import.meta.url);

function read(document) {
    return JSON.parse(readFileSync(new URL(`../docs/${document}`, web), 'utf8'));
}

function comment(description, indent = '') {
    if (description === undefined) return '';
    const lines = description.split('\n').map((line) => line.trim());
    if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
    return `${indent}/**\n${lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}

const literal = (value) => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value));
const union = (types) => [...new Set(types)].join(' | ');

const primitives = { string: 'string', number: 'number', integer: 'number', boolean: 'boolean', null: 'null' };

/** The type of a schema. Limits of numbers and lengths have no counterpart in TypeScript; anything else unknown is an error. */
function typeOf(schema) {
    if (schema === true || Object.keys(schema).every((key) => key === 'description')) return 'unknown';
    if (schema.$ref !== undefined) return schema.$ref.replace('#/components/schemas/', '');
    if (schema.const !== undefined) return literal(schema.const);
    if (schema.enum !== undefined) return union(schema.enum.map(literal));
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices !== undefined) return union(choices.map(typeOf));
    return union(
        [schema.type].flat().map((type) => (type === 'array' ? listOf(schema) : type === 'object' ? objectOf(schema) : primitive(type))),
    );
}

function primitive(type) {
    const found = primitives[type];
    if (found === undefined) throw new Error(`no type for ${type}`);
    return found;
}

function listOf(schema) {
    if (schema.prefixItems !== undefined) return `[${schema.prefixItems.map(typeOf).join(', ')}]`;
    const item = typeOf(schema.items ?? true);
    if (schema.minItems !== undefined && schema.minItems === schema.maxItems) return `[${Array(schema.minItems).fill(item).join(', ')}]`;
    return item.includes(' ') ? `(${item})[]` : `${item}[]`;
}

/** Names that are no identifiers stand in quotes. */
function key(field) {
    return /^[\w$]+$/.test(field) ? field : `'${field}'`;
}

function objectOf(schema) {
    if (schema.properties !== undefined) {
        // One of several shapes: they differ in fields and have no names of their own.
        const required = new Set(schema.required);
        const fields = Object.entries(schema.properties).map(
            ([field, of]) => `${key(field)}${required.has(field) ? '' : '?'}: ${typeOf(of)}`,
        );
        return `{ ${fields.join('; ')} }`;
    }
    const [values] = Object.values(schema.patternProperties ?? {});
    return `Record<string, ${typeOf(values ?? schema.additionalProperties ?? true)}>`;
}

function declaration(name, schema) {
    const head = comment(schema.description);
    if (schema.type !== 'object' || schema.properties === undefined) return `${head}export type ${name} = ${typeOf(schema)};\n`;
    const required = new Set(schema.required);
    const fields = Object.entries(schema.properties).map(
        ([field, of]) => `${comment(of.description, '    ')}    ${key(field)}${required.has(field) ? '' : '?'}: ${typeOf(of)};\n`,
    );
    return `${head}export interface ${name} {\n${fields.join('')}}\n`;
}

function declarations(document, schemas) {
    const texts = Object.entries(schemas).map(([name, schema]) => declaration(name, schema));
    return `// Made by \`npm run types\` from docs/${document}; not to be edited.\n\n${texts.join('\n')}`;
}

/** The words of a choice as values, for whoever checks a word that came from outside. */
function wordList(name, schema) {
    return `export const ${name} = [${schema.oneOf.map((word) => literal(word.const)).join(', ')}] as const;\n`;
}

/** Only what `roots` lead to. */
function reachable(schemas, roots) {
    const found = new Set();
    const follow = (text) => {
        for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
            if (found.has(name)) continue;
            found.add(name);
            follow(JSON.stringify(schemas[name]));
        }
    };
    follow(JSON.stringify(roots));
    return Object.fromEntries(Object.entries(schemas).filter(([name]) => found.has(name)));
}

function messages() {
    const { components } = read('asyncapi.json');
    const names = Object.entries(components.messages).map(([name, { payload }]) => [
        `${name[0].toUpperCase()}${name.slice(1)}Message`,
        payload,
    ]);
    const types = declarations('asyncapi.json', { ...Object.fromEntries(names), ...components.schemas });
    return `${types}\n${wordList('FEED_STATES', components.schemas.FeedState)}${wordList('SOURCE_STATES', components.schemas.SourceState)}`;
}

function bodies() {
    const { paths, components } = read('openapi.json');
    const types = declarations('openapi.json', reachable(components.schemas, paths));
    // Again, because page code takes only types from the client's package, whose code comes after the first picture.
    return `${types}\n${wordList('FEED_STATES', components.schemas.FeedState)}`;
}

const files = { 'client/src/wire/messages.generated.ts': messages(), 'dashboard/src/wire/bodies.generated.ts': bodies() };
const check = process.argv.includes('--check');
for (const [path, text] of Object.entries(files)) {
    const file = new URL(path, web);
    if (!check) {
        writeFileSync(file, text);
    } else if (readFileSync(file, 'utf8') !== text) {
        console.error(`web/${path} is out of date: run \`npm run types\` in web`);
        process.exitCode = 1;
    }
}
