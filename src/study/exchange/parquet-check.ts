// Whether a Parquet file claims no more than it can hold: counts of values decide how much memory is taken to unpack them,
// so they are held against the bytes of the file before that.

import { type AsyncBuffer, type FileMetaData, parquetSchema } from "hyparquet";
import { measurePages } from "../../evaluate/parquet-node.ts";

/** An id is 64 digits of a hash and does not compress below this; so many bytes of file there are for each row. */
const leastBytesPerRow = 32;
/** Values of lists: equal ones take next to no room, but documents of every task fit in this. */
const mostListValues = 2 ** 28;
const mostValuesPerByte = 4096;

/** @throws Error that says what is wrong */
export async function checkParquet(file: AsyncBuffer, metadata: FileMetaData): Promise<void> {
  const rows = Number(metadata.num_rows);
  if (!(rows >= 0 && rows * leastBytesPerRow <= file.byteLength)) throw new Error(`it cannot hold ${rows} rows`);
  const lists = new Map(
    parquetSchema(metadata).children.map(({ element, children }) => [element.name, children.length > 0]),
  );
  let [found, listed] = [0, 0];
  for (const group of metadata.row_groups) {
    const names = new Set<string>();
    const groupRows = Number(group.num_rows);
    found += groupRows;
    if (!(groupRows >= 0 && found <= rows)) throw new Error("its groups have more rows than it");
    for (const { meta_data: column } of group.columns) {
      if (!column) throw new Error("it lacks the place of a column");
      const [name, ...inner] = column.path_in_schema;
      // A column that the schema does not lead to would fail where nobody listens.
      if (lists.get(name) !== inner.length > 0 || names.has(name))
        throw new Error("its columns are not those of its schema");
      names.add(name);
      const values = Number(column.num_values);
      if (inner.length > 0) listed += values;
      else if (values !== groupRows) throw new Error(`${name} has ${values} values for ${groupRows} rows`);
      if (!(values >= 0 && listed <= Math.min(mostListValues, mostValuesPerByte * file.byteLength)))
        throw new Error(`it cannot hold ${listed} values of documents`);
      const start = Number(column.dictionary_page_offset || column.data_page_offset);
      const size = Number(column.total_compressed_size);
      if (!(start >= 4 && size >= 0 && start + size <= file.byteLength)) throw new Error("a column lies outside of it");
      measurePages(new Uint8Array(await file.slice(start, start + size)), values);
    }
  }
  if (found !== rows) throw new Error(`it says ${rows} rows and has ${found}`);
}
