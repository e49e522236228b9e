// What Grafana publishes of a dashboard, joined: a dashboard with panels of the two kinds that ours has, whose options
// are those of their kind and whose queries are for Prometheus.
import type {
    AnnotationQuery, Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel,
} from "@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import type { Options as Stat } from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type { FieldConfig as Drawn, Options as Lines } from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/dist/prometheus/types.gen";

type Query = Omit<Dataquery, "_implementsDataqueryVariant"> & { refId: string };
type Note = Omit<AnnotationQuery, "target"> & { target: Query; titleFormat?: string };
type Fields<Custom> = Omit<FieldConfigSource, "defaults"> & { defaults: Omit<FieldConfig, "custom"> & { custom?: Custom } };
type Of<Name extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets">
    & { type: Name; options: Partial<Options>; fieldConfig: Fields<Custom>; targets: Query[] };
export type Checked = Omit<Dashboard, "panels" | "annotations"> & {
    annotations: { list: Note[] };
    panels: (Of<"stat", Stat, Record<string, never>> | Of<"timeseries", Lines, Drawn> | RowPanel)[];
};
