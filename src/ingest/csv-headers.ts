/** What a column of a Jira CSV export holds. */
export type CsvField =
  | "key"
  | "id"
  | "summary"
  | "type"
  | "status"
  | "status_category"
  | "project_key"
  | "project_name"
  | "priority"
  | "resolution"
  | "assignee"
  | "reporter"
  | "created"
  | "updated"
  | "resolved"
  | "labels"
  | "components"
  | "fix_versions"
  | "affects_versions"
  | "description"
  | "sprint"
  | "story_points"
  | "epic";

/** Header texts by field: English, German, French, Spanish, Portuguese, Russian, Chinese; lower case. */
const SYNONYMS: { readonly [Field in CsvField]: readonly string[] } = {
  key: [
    "issue key",
    "key",
    "work item key",
    "vorgangsschlüssel",
    "schlüssel",
    "clé de ticket",
    "clé",
    "clave de incidencia",
    "clave",
    "chave da item",
    "chave",
    "ключ проблемы",
    "ключ",
    "код задачи",
    "问题关键字",
    "关键字",
  ],
  id: [
    "issue id",
    "work item id",
    "vorgangs-id",
    "id de ticket",
    "id de la incidencia",
    "id da item",
    "id проблемы",
    "идентификатор проблемы",
    "问题 id",
  ],
  summary: ["summary", "zusammenfassung", "résumé", "resumen", "resumo", "тема", "заголовок", "概要", "主题"],
  type: [
    "issue type",
    "type",
    "work type",
    "vorgangstyp",
    "typ",
    "type de ticket",
    "tipo de incidencia",
    "tipo de item",
    "тип задачи",
    "тип проблемы",
    "тип запроса",
    "问题类型",
  ],
  status: ["status", "état", "statut", "estado", "статус", "состояние", "状态"],
  status_category: ["status category", "statuskategorie", "catégorie d'état", "categoría de estado", "категория статуса"],
  project_key: ["project key", "projektschlüssel", "clé de projet", "clave del proyecto", "chave do projeto", "ключ проекта", "项目关键字"],
  project_name: [
    "project name",
    "project",
    "projektname",
    "projekt",
    "nom du projet",
    "projet",
    "nombre del proyecto",
    "proyecto",
    "nome do projeto",
    "projeto",
    "название проекта",
    "проект",
    "项目名称",
  ],
  priority: ["priority", "priorität", "priorité", "prioridad", "prioridade", "приоритет", "优先级"],
  resolution: ["resolution", "lösung", "résolution", "resolución", "resolução", "решение", "解决结果"],
  assignee: [
    "assignee",
    "zugewiesene person",
    "bearbeiter",
    "responsable",
    "attribution",
    "persona asignada",
    "responsável",
    "исполнитель",
    "经办人",
  ],
  reporter: ["reporter", "autor", "rapporteur", "auteur", "informador", "relator", "автор", "报告人"],
  created: ["created", "erstellt", "création", "créée", "creada", "criado", "создано", "创建日期", "已创建"],
  updated: ["updated", "aktualisiert", "mise à jour", "mis à jour", "actualizada", "atualizado(a)", "обновлено", "已更新"],
  resolved: [
    "resolved",
    "resolution date",
    "erledigt",
    "résolue",
    "résolu",
    "resuelta",
    "resolvido",
    "дата решения",
    "решено",
    "解决时间",
    "已解决",
  ],
  labels: ["labels", "label", "stichwörter", "étiquettes", "etiquetas", "categorias", "метки", "标签"],
  components: [
    "component/s",
    "components",
    "component",
    "komponenten",
    "komponente/n",
    "composants",
    "composant(s)",
    "componentes",
    "componente(s)",
    "компоненты",
    "компонент(ы)",
    "模块",
  ],
  fix_versions: [
    "fix version/s",
    "fix versions",
    "fix version",
    "lösungsversion(en)",
    "zielversion",
    "version(s) corrigée(s)",
    "versiones corregidas",
    "versões corrigidas",
    "исправить в версиях",
    "исправлено в версии",
    "修复版本",
  ],
  affects_versions: [
    "affects version/s",
    "affects versions",
    "affects version",
    "betroffene version(en)",
    "affecte la/les version(s)",
    "versiones afectadas",
    "versões afetadas",
    "проявляется в версиях",
    "影响版本",
  ],
  description: ["description", "beschreibung", "descripción", "descrição", "описание", "描述"],
  sprint: ["sprint", "спринт", "冲刺"],
  story_points: ["story points", "story point estimate", "story-punkte", "points de story", "puntos de historia", "оценка в story points"],
  epic: ["epic link", "epic-verknüpfung", "lien d'épopée", "enlace de epic", "ссылка на эпик", "parent key"],
};

const FIELD_OF: ReadonlyMap<string, CsvField> = new Map(
  (Object.entries(SYNONYMS) as [CsvField, readonly string[]][]).flatMap(([field, texts]) =>
    texts.map((text): [string, CsvField] => [text, field]),
  ),
);

/** Fields that Jira exports as custom ones: `Custom field (Story Points)`, in any language. */
const CUSTOM: ReadonlySet<CsvField> = new Set(["sprint", "story_points", "epic"]);

function fieldOf(header: string, storyPointsField: string | null): CsvField | null {
  const text = header.trim().toLowerCase();
  const custom = /^[^(]+\((.+)\)$/.exec(text)?.[1]?.trim() ?? "";
  const field = FIELD_OF.get(text) ?? customField(custom);
  const own = storyPointsField?.trim().toLowerCase() ?? null;
  if (own !== null && (text === own || custom === own)) return "story_points";
  return own !== null && field === "story_points" ? null : field;
}

function customField(name: string): CsvField | null {
  const field = FIELD_OF.get(name);
  return field !== undefined && CUSTOM.has(field) ? field : null;
}

/** Where each field stands; a repeated header is one field with several columns. */
export type CsvLayout = ReadonlyMap<CsvField, readonly number[]>;

/** The layout that a row of headers gives, or null when it is no header of an issue export. */
export function layoutOf(headers: readonly string[], storyPointsField: string | null): CsvLayout | null {
  const layout = new Map<CsvField, number[]>();
  for (const [index, header] of headers.entries()) {
    const field = fieldOf(header, storyPointsField);
    if (field === null) continue;
    const columns = layout.get(field);
    if (columns === undefined) layout.set(field, [index]);
    else columns.push(index);
  }
  return layout.has("key") && layout.has("created") ? layout : null;
}
