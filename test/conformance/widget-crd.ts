/** The custom kinds of the conformance suite: one with everything, one with nothing. */
export const WIDGET_GROUP = "widgets.example.com";
export const GADGET_GROUP = "gadgets.example.com";

const text = { type: "string" } as const;

export const WIDGET_CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `widgets.${WIDGET_GROUP}` },
  spec: {
    group: WIDGET_GROUP,
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets", singular: "widget", shortNames: ["wd"], categories: ["all"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.replicas",
            statusReplicasPath: ".status.replicas",
            labelSelectorPath: ".status.selector",
          },
        },
        additionalPrinterColumns: [
          { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
          { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: "Parts", type: "string", jsonPath: ".spec.parts[*].name", priority: 1 },
          { name: "Team", type: "string", jsonPath: ".metadata.labels.example\\.com/team", priority: 1 },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["model"],
                properties: {
                  model: {
                    type: "string",
                    minLength: 1,
                    maxLength: 100,
                    "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "model is immutable" }],
                  },
                  replicas: { type: "integer", format: "int32", minimum: 0, maximum: 100, default: 1 },
                  port: { type: "integer", format: "int32" },
                  size: { type: "string", enum: ["S", "M"], maxLength: 2 },
                  code: { type: "string", pattern: "^[a-z]+$", maxLength: 10 },
                  min: { type: "integer" },
                  max: { type: "integer" },
                  maybe: { type: "string", nullable: true },
                  surge: { "x-kubernetes-int-or-string": true },
                  tags: { type: "array", minItems: 1, maxItems: 3, items: text },
                  labels: {
                    type: "array",
                    maxItems: 10,
                    items: { type: "string", maxLength: 50 },
                    "x-kubernetes-list-type": "set",
                  },
                  limits: { type: "object", additionalProperties: text },
                  free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                  nested: { type: "object", properties: { mode: { type: "string", default: "auto" } } },
                  parts: {
                    type: "array",
                    maxItems: 20,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    items: {
                      type: "object",
                      required: ["name"],
                      properties: { name: { type: "string", maxLength: 50 }, count: { type: "integer" } },
                      "x-kubernetes-validations": [
                        {
                          rule: "!has(self.count) || self.count > 0",
                          message: "count must be positive",
                          fieldPath: ".count",
                        },
                      ],
                    },
                  },
                },
                "x-kubernetes-validations": [
                  {
                    rule: "!has(self.min) || !has(self.max) || self.min <= self.max",
                    message: "min must not be above max",
                  },
                  {
                    rule: "!(has(self.size) && self.size == 'S' && has(self.max)) || self.max <= 10",
                    messageExpression: "'max of size ' + self.size + ' is at most 10'",
                    fieldPath: ".max",
                  },
                ],
              },
              status: {
                type: "object",
                properties: {
                  replicas: { type: "integer", format: "int32" },
                  selector: text,
                  conditions: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    items: { type: "object", required: ["type"], properties: { type: text, status: text } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

export const GADGET_CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `gadgets.${GADGET_GROUP}` },
  spec: {
    group: GADGET_GROUP,
    scope: "Namespaced",
    names: { kind: "Gadget", plural: "gadgets" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
