// Whether a Parquet file claims no more than it can hold: counts of values decide how much memory is taken to unpack them,
// so they are held against the bytes of the file before that.

import { type AsyncBuffer, type FileMetaData, parquetSchema } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";

/** An id is 64 digits of a hash and does not compress below this; so many bytes of file there are for each row. */
const leastBytesPerRow = 32;
/** Values of lists: equal ones take next to no room, but documents of every task fit in this. */
const mostListValues = 2 ** 28;
const mostValuesPerByte = 4096;
/** Bytes of a page, unpacked; writers make them a megabyte. */
const mostPageBytes = 2 ** 28;

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
      checkPages(await file.slice(start, start + size), values);
    }
  }
  if (found !== rows) throw new Error(`it says ${rows} rows and has ${found}`);
}

/** The headers of a column's pages, one after another, against what the column says of itself. */
function checkPages(bytes: ArrayBuffer, values: number): void {
  const reader = { view: new DataView(bytes), offset: 0 };
  let left = values;
  while (reader.offset < bytes.byteLength) {
    const { data_page_header, data_page_header_v2, dictionary_page_header, ...page } = parquetHeader(reader);
    const dictionary = dictionary_page_header?.num_values ?? 0;
    const data = data_page_header?.num_values ?? data_page_header_v2?.num_values ?? 0;
    const nulls = data_page_header_v2?.num_nulls ?? 0;
    const levels = [
      data_page_header_v2?.definition_levels_byte_length,
      data_page_header_v2?.repetition_levels_byte_length,
    ];
    left -= data;
    const sizes = [page.compressed_page_size, page.uncompressed_page_size, ...levels.map((size) => size ?? 0)];
    if (!(dictionary >= 0 && dictionary <= values && data >= 0 && left >= 0 && nulls >= 0 && nulls <= data))
      throw new Error("a page has more values than its column");
    if (!sizes.every((size) => size >= 0 && size <= mostPageBytes)) throw new Error("a page is too large");
    reader.offset += page.compressed_page_size;
    if (reader.offset > bytes.byteLength) throw new Error("a page is cut off");
  }
}
