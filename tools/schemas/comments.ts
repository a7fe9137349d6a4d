import { execFileSync } from "node:child_process";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

/** Numbers of fields in descriptor.proto, of which the path of a comment is made. */
const inFile = { message: 4, enum: 5 } as const;
const inMessage = { field: 2, nested: 3, enum: 4 } as const;
const inEnum = { value: 2 } as const;

/** What the contract says of each message, field, enum and value of one, by its full name; generated code does not have it. */
export function commentsOf(root: string): ReadonlyMap<string, string> {
  const image = execFileSync(
    "node_modules/.bin/buf",
    ["build", "proto", "--as-file-descriptor-set", "-o", "-"],
    {
      cwd: root,
      maxBuffer: 64 << 20,
    },
  );
  const found = new Map<string, string>();
  for (const file of fromBinary(FileDescriptorSetSchema, image).file) {
    const told = new Map(
      (file.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [
        path.join("."),
        leadingComments,
      ]),
    );
    const keep = (name: string, path: readonly number[]): void => {
      const comment = told.get(path.join("."));
      if (comment !== undefined && comment !== "") found.set(name, comment.trim().replace(/\s*\n\s*/g, " "));
    };
    const keepEnum = (desc: EnumDescriptorProto, scope: string, path: readonly number[]): void => {
      const name = `${scope}.${desc.name}`;
      keep(name, path);
      for (const [at, value] of desc.value.entries())
        keep(`${name}.${value.name}`, [...path, inEnum.value, at]);
    };
    const keepMessage = (desc: DescriptorProto, scope: string, path: readonly number[]): void => {
      const name = `${scope}.${desc.name}`;
      keep(name, path);
      for (const [at, field] of desc.field.entries())
        keep(`${name}.${field.name}`, [...path, inMessage.field, at]);
      for (const [at, one] of desc.enumType.entries()) keepEnum(one, name, [...path, inMessage.enum, at]);
      for (const [at, one] of desc.nestedType.entries())
        keepMessage(one, name, [...path, inMessage.nested, at]);
    };
    for (const [at, one] of file.enumType.entries()) keepEnum(one, file.package, [inFile.enum, at]);
    for (const [at, one] of file.messageType.entries()) keepMessage(one, file.package, [inFile.message, at]);
  }
  return found;
}
